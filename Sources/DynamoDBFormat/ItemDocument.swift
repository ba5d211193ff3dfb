package import JSON
package import Storage
import Wording

/// The objects of one text of DynamoDB JSON: takes the items out of them and checks what they say of themselves.
///
/// For one thread at a time.
package struct ItemDocument {
    /// What is wrong with an export that holds changes, and what to do.
    package static let incrementalAdvice =
        "this is an incremental export: it holds what changed, not the table. Make a full export (--export-type "
        + "FULL_EXPORT), at the latest point in time that you need."

    /// An item, borrowed for the call.
    package struct Item {
        package let node: JSONNode
        /// Its number in the file, from 0.
        package let index: Int
        /// The line of the uncompressed text in which it begins.
        package let line: Int
        /// It comes from the output of a scan, which may lack attributes.
        package let isListed: Bool
    }

    /// What the objects of a file are.
    private enum Form {
        case lines
        case pages
        /// Items alone, as a filter leaves them of a page (`jq -c '.Items[]'`).
        case items
    }

    /// What is known of the object at hand.
    private struct Object {
        var line = 1
        var items = 0
        var isPage = false
        var hasItem = false
        var count: Int?
        var scanned: Int?
        var goesOn = false
        var otherMember: String?
        /// Why it is neither a line nor a page, unless it is an item itself: attributes have any name.
        var refusal: StorageError?
        /// What was read of it so far, as an object that wants its end, in case it is an item itself.
        var text: [UInt8] = [UInt8(ascii: "{")]
        var hasPath = false
        var hasKey = false

        var isItem: Bool { hasPath && hasKey && !isPage && !hasItem }
    }

    private let path: String
    private let expectedItems: Int?
    private let parser: JSONParser
    private var splitter = ItemSplitter()
    private var form: Form?
    private var object = Object()
    /// The last page says that another one follows.
    private var pageIsMissing = false
    private var items = 0
    private var isStopped = false

    /// - Parameters:
    ///   - path: What to call the text in messages.
    ///   - expectedItems: How many items it has, where something tells.
    package init(path: String, expectedItems: Int?, parser: JSONParser) {
        self.path = path
        self.expectedItems = expectedItems
        self.parser = parser
    }

    /// Reads the next piece of the file's text.
    ///
    /// - Returns: `false` as soon as `deliver` did.
    /// - Throws: `.damagedStore` or, for an incremental export, `.unsupported`, naming path and line.
    package mutating func read(
        _ text: UnsafeRawBufferPointer, _ deliver: (Item) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        // The splitter changes while it calls back: it stands apart for that time.
        var splitter = splitter
        defer { self.splitter = splitter }
        try splitter.read(text, problem: { Self.damage(path, $0.line, $0.message) }) {
            event, line throws(StorageError) in
            guard !isStopped else { return }
            try take(event, line, deliver)
        }
        return !isStopped
    }

    private static func damage(_ path: String, _ line: Int, _ message: String) -> StorageError {
        StorageError(.damagedStore, "\(path):\(line): \(message). Download or make the file again.")
    }

    private mutating func take(
        _ event: ItemSplitter.Event, _ line: Int, _ deliver: (Item) throws(StorageError) -> Bool
    ) throws(StorageError) {
        switch event {
        case .objectBegins:
            object = Object()
            object.line = line
        case .listBegins: object.isPage = true
        case .item(let bytes, let isListed):
            if !isListed { object.hasItem = true }
            let node = try parse(bytes, line)
            guard node.kind == .object else { throw Self.damage(path, line, "an item is not an object") }
            object.items += 1
            items += 1
            let item = Item(node: node, index: items - 1, line: line, isListed: isListed)
            isStopped = try !deliver(item)
        case .member(let name, let bytes):
            try collect(name, bytes, line)
            take(member: name, try parse(bytes, line), line)
        case .objectEnds:
            if object.isItem { try takeObjectAsItem(deliver) }
            try finishObject()
        }
    }

    /// Keeps a member as it was written, as long as the object may be an item.
    private mutating func collect(
        _ name: [UInt8], _ value: UnsafeRawBufferPointer, _ line: Int
    ) throws(StorageError) {
        guard !object.isPage, !object.hasItem else { return }
        guard object.text.count + name.count + value.count <= ItemSplitter.maximumBytes else {
            throw Self.damage(
                path, object.line, "an object of more than \(ItemSplitter.maximumBytes >> 20) MiB begins")
        }
        if object.text.count > 1 { object.text.append(UInt8(ascii: ",")) }
        object.text.append(UInt8(ascii: "\""))
        object.text.append(contentsOf: name)
        object.text.append(contentsOf: "\":".utf8)
        object.text.append(contentsOf: value)
    }

    private mutating func takeObjectAsItem(
        _ deliver: (Item) throws(StorageError) -> Bool
    ) throws(StorageError) {
        object.text.append(UInt8(ascii: "}"))
        let node = try object.text.withBytes { text throws(StorageError) in try parse(text, object.line) }
        object.items += 1
        items += 1
        // It was cut out of the output of a scan, which may lack attributes.
        let item = Item(node: node, index: items - 1, line: object.line, isListed: true)
        isStopped = try !deliver(item)
    }

    private func parse(_ bytes: UnsafeRawBufferPointer, _ line: Int) throws(StorageError) -> JSONNode {
        do throws(JSONError) {
            return try parser.parse(bytes)
        } catch {
            throw Self.damage(path, line, "this is not JSON (\(error))")
        }
    }

    private mutating func take(member name: [UInt8], _ value: JSONNode, _ line: Int) {
        switch String(decoding: name, as: UTF8.self) {
        case "NewImage", "OldImage", "Keys", "Metadata":
            object.refusal =
                object.refusal
                ?? StorageError(.unsupported, "\(path):\(line): \(Self.incrementalAdvice)")
        case "Items":
            object.refusal = object.refusal ?? Self.damage(path, line, "Items is not a list")
        case "Path" where value["S"] != nil: object.hasPath = true
        case "Key" where value["S"] != nil: object.hasKey = true
        case "Count": object.count = value.integer
        case "ScannedCount": object.scanned = value.integer
        case "LastEvaluatedKey", "NextToken": object.goesOn = value.kind != .null
        case "ConsumedCapacity", "ResponseMetadata": break
        default: object.otherMember = "\(StorageKey(name))"
        }
    }

    private mutating func finishObject() throws(StorageError) {
        let line = object.line
        if object.isItem { return try finish(.items) }
        if let refusal = object.refusal { throw refusal }
        if let other = object.otherMember ?? (object.hasPath ? "Path" : object.hasKey ? "Key" : nil) {
            throw Self.damage(path, line, "no export and no scan writes a member \(other)")
        }
        guard object.isPage != object.hasItem else {
            let isCount = object.count != nil && !object.isPage
            throw Self.damage(
                path, line,
                isCount
                    ? "there is a Count and no Items, as of a scan that only counted (--select COUNT)"
                    : "an object has neither \"Item\" nor \"Items\", or both")
        }
        try finish(object.hasItem ? .lines : .pages)
    }

    private mutating func finish(_ form: Form) throws(StorageError) {
        let line = object.line
        guard self.form == nil || self.form == form else {
            throw Self.damage(
                path, line, "lines of an export, the output of a scan and items alone are mixed")
        }
        self.form = form
        switch form {
        case .items: break
        case .lines:
            guard object.items == 1, object.count == nil else {
                throw Self.damage(path, line, "a line of an export has more than one Item")
            }
        case .pages: try finishPage(line)
        }
    }

    private mutating func finishPage(_ line: Int) throws(StorageError) {
        guard let count = object.count, count == object.items else {
            let said = object.count.map(String.init) ?? "nothing"
            throw Self.damage(
                path, line,
                "the scan's output says Count \(said) and has \(object.items) \(plural(object.items, "item"))")
        }
        if let scanned = object.scanned, scanned != count {
            throw StorageError(
                .damagedStore,
                "\(path):\(line): the scan looked at \(scanned) \(plural(scanned, "item")) and gave \(count): "
                    + "a filter left out the rest. "
                    + "Scan again without --filter-expression.")
        }
        pageIsMissing = object.goesOn
    }

    /// Checks what can only be known at the end.
    ///
    /// - Throws: `.damagedStore`, naming path and line.
    package func finish() throws(StorageError) {
        guard splitter.isBetweenObjects else {
            throw Self.damage(path, splitter.line, "the file ends in the middle of an object")
        }
        guard !pageIsMissing else {
            throw StorageError(
                .damagedStore,
                "\(path):\(object.line): the scan is not complete: its last page has a LastEvaluatedKey or "
                    + "NextToken. Scan again without --max-items and --no-paginate, or append the pages that follow.")
        }
        if let expected = expectedItems, expected != items {
            throw StorageError(
                .damagedStore,
                "\(path) has \(items) \(plural(items, "item")), the manifest says \(expected). "
                    + "Download the export again."
            )
        }
    }
}
