package import JSON
package import Storage

/// Where an entry lies in the table: its partition key `Path` and its sort key `Key`
/// (Vault 1.14 `physical/dynamodb`, `recordPathForVaultKey` and `recordKeyForVaultKey`).
///
/// | key of the entry | Path | Key |
/// | --- | --- | --- |
/// | `foo` | one space | `foo` |
/// | `a/b/c` | `a/b` | `c` |
/// | directory `a/b/`, its marker | `a` | `b/` |
package struct ItemKey: Hashable, Sendable {
    /// The Path of what lies at the root: no key of the table may be empty.
    package static let rootPath: [UInt8] = [0x20]
    private static let slash = UInt8(ascii: "/")

    package let path: [UInt8]
    package let name: [UInt8]

    package init(path: [UInt8], name: [UInt8]) {
        self.path = path
        self.name = name
    }

    /// Path and Key of an item or of a key.
    ///
    /// - Throws: `.damagedStore` if it has no Path and Key of type S.
    package init(_ node: JSONNode) throws(StorageError) {
        self = try ItemReader.parts(of: node).place
    }

    /// The place of an entry whose key is in its cleaned form.
    package init(entry key: some BidirectionalCollection<UInt8>) {
        guard let slash = key.lastIndex(of: Self.slash) else {
            self.init(path: Self.rootPath, name: Array(key))
            return
        }
        self.init(path: Array(key[..<slash]), name: Array(key[key.index(after: slash)...]))
    }

    /// The place of the marker of a directory, given without its final slash.
    package init(markerOf directory: some BidirectionalCollection<UInt8>) {
        let place = ItemKey(entry: directory)
        self.init(path: place.path, name: place.name + [Self.slash])
    }

    /// The Path under which the children of a directory lie; `prefix` is empty or ends in a slash.
    package static func path(ofChildren prefix: StorageKey) -> [UInt8] {
        prefix.bytes.isEmpty ? rootPath : Array(prefix.bytes.dropLast())
    }

    /// The directories above an entry, outermost first, without their final slashes.
    package static func ancestors(of key: UnsafeRawBufferPointer) -> [ArraySlice<UInt8>] {
        let bytes = ArraySlice(key)
        return bytes.indices.filter { bytes[$0] == slash }.map { bytes[..<$0] }
    }

    /// What the table calls the key of an entry: Path and Key joined and cleaned as the stock backend does when it
    /// reads, Key alone at the root. A directory's marker keeps its final slash.
    ///
    /// - Returns: Whether a server that wants that key looks here; `false` if joining and cleaning lead elsewhere.
    @discardableResult
    package static func storageKey(
        path: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer, into key: inout [UInt8]
    ) -> Bool {
        key.removeAll(keepingCapacity: true)
        let isMarker = name.last == slash
        if !path.elementsEqual(rootPath) {
            key.append(contentsOf: path)
            key.append(slash)
        }
        key.append(contentsOf: isMarker ? UnsafeRawBufferPointer(rebasing: name.dropLast()) : name)
        var isAtItsPlace = true
        let isClean = key.withUnsafeBytes(StorageKey.isCleaned)
        if !isClean { key = cleaned(key) }
        if !isClean || name.dropLast(isMarker ? 1 : 0).contains(slash) {
            let place = isMarker ? ItemKey(markerOf: key) : ItemKey(entry: key)
            let isInItsDirectory = place.path.isEmpty ? path.elementsEqual([slash]) : path.elementsEqual(place.path)
            isAtItsPlace = isInItsDirectory && name.elementsEqual(place.name)
        }
        if isMarker { key.append(slash) }
        return isAtItsPlace
    }

    /// Go's `path.Clean`: no empty and no `.` segment, `..` takes the segment before it away.
    static func cleaned(_ key: [UInt8]) -> [UInt8] {
        let isRooted = key.first == slash
        var kept: [ArraySlice<UInt8>] = []
        for part in key.split(separator: slash) {
            if part.elementsEqual([UInt8(ascii: ".")]) { continue }
            guard part.elementsEqual("..".utf8) else {
                kept.append(part)
                continue
            }
            if let last = kept.last, !last.elementsEqual("..".utf8) {
                kept.removeLast()
            } else if !isRooted {
                kept.append(part)
            }
        }
        let joined = Array(kept.joined(separator: [slash]))
        if isRooted { return [slash] + joined }
        return joined.isEmpty ? [UInt8(ascii: ".")] : joined
    }
}
