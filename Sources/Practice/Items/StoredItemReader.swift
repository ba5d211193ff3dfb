import JSON

/// Decodes stored items. For one thread at a time; keeps its memory.
final class StoredItemReader {
    private let parser: JSONParser
    private var text: [UInt8] = []

    init() throws(ServiceError) {
        do throws(JSONError) {
            parser = try JSONParser()
        } catch {
            throw .internalError
        }
    }

    /// All attributes of an item.
    func attributes(_ item: UnsafeRawBufferPointer) throws(ServiceError) -> [AttributeValue.Member] {
        text.removeAll(keepingCapacity: true)
        text.append(UInt8(ascii: "{"))
        for attribute in StoredItem.attributes(of: item) {
            if text.count > 1 { text.append(UInt8(ascii: ",")) }
            text.append(contentsOf: attribute.text)
        }
        text.append(UInt8(ascii: "}"))
        return try parsed()
    }

    /// One attribute of an item, `nil` if the item has none of that name.
    func value(_ name: [UInt8], in item: UnsafeRawBufferPointer) throws(ServiceError) -> AttributeValue? {
        for attribute in StoredItem.attributes(of: item) where attribute.name.elementsEqual(name) {
            text.removeAll(keepingCapacity: true)
            text.append(UInt8(ascii: "{"))
            text.append(contentsOf: attribute.text)
            text.append(UInt8(ascii: "}"))
            return try parsed().first?.value
        }
        return nil
    }

    private func parsed() throws(ServiceError) -> [AttributeValue.Member] {
        try text.withUnsafeBufferPointer { text throws(ServiceError) in
            let root: JSONNode
            do throws(JSONError) {
                root = try parser.parse(UnsafeRawBufferPointer(text))
            } catch {
                // What was stored was JSON when it was stored: the file is damaged.
                throw .internalError
            }
            return try AttributeValue.members(of: root)
        }
    }
}
