import Storage

/// Entries and bytes by the place that a server gives them: a folder at the top, or what one mount keeps.
///
/// | Key | Place |
/// | --- | --- |
/// | `core/…`, `sys/…`, any other folder | that folder |
/// | `logical/<uuid>/…`, `auth/<uuid>/…`, `audit/<uuid>/…` | the mount's folder |
/// | `namespaces/<uuid>/` and one of those | the same below the namespace |
/// | a key without a folder | nothing |
struct PlaceCounts: Sendable {
    /// More places are not kept apart but for the first in key order: a server has some hundred mounts.
    static let mostPlaces = 4096

    struct Place: Sendable, Equatable {
        /// With its final slash; empty for entries beside the folders.
        let prefix: StorageKey
        var entries = 0
        /// Of keys and values.
        var bytes = 0
    }

    private var places: [Place] = []
    private var numbers: [StorageKey: Int] = [:]
    /// What is beyond the most that are kept.
    private var others = Place(prefix: "(others)")
    /// The first place that was put there; no later one is kept.
    private var bound: StorageKey?
    /// Where the last entry was counted, if every key below that prefix belongs there.
    private var last: Int?

    /// What is kept, ascending, and at the end what is not, if there is any.
    var all: [Place] {
        var whole = self
        whole.shrink(to: Self.mostPlaces)
        let sorted = whole.places.sorted { $0.prefix < $1.prefix }
        return sorted + (whole.others.entries > 0 ? [whole.others] : [])
    }

    mutating func count(_ key: UnsafeRawBufferPointer, bytes: Int) {
        if let last, key.begins(with: places[last].prefix) {
            places[last].entries += 1
            places[last].bytes += bytes
            return
        }
        let (length, isDeep) = Self.prefixLength(of: key)
        let prefix = StorageKey(copying: UnsafeRawBufferPointer(rebasing: key[..<length]))
        let number = add(Place(prefix: prefix, entries: 1, bytes: bytes))
        last = isDeep && length > 0 ? number : nil
    }

    mutating func merge(_ other: PlaceCounts) {
        last = nil
        for place in other.places { _ = add(place) }
        others.entries += other.others.entries
        others.bytes += other.others.bytes
        if let bound = other.bound, self.bound.map({ bound < $0 }) ?? true {
            self.bound = bound
            shrink(to: places.count)
        }
    }

    /// - Returns: Where it was counted; `nil` among the others.
    private mutating func add(_ place: Place) -> Int? {
        if let number = numbers[place.prefix] {
            places[number].entries += place.entries
            places[number].bytes += place.bytes
            return number
        }
        if let bound, !(place.prefix < bound) {
            others.entries += place.entries
            others.bytes += place.bytes
            return nil
        }
        numbers[place.prefix] = places.count
        places.append(place)
        guard places.count >= 2 * Self.mostPlaces else { return places.count - 1 }
        shrink(to: Self.mostPlaces)
        return nil
    }

    /// Puts the highest places among the others, and those behind the bound.
    private mutating func shrink(to most: Int) {
        last = nil
        let sorted = places.sorted { $0.prefix < $1.prefix }
        if sorted.count > most, bound.map({ sorted[most].prefix < $0 }) ?? true { bound = sorted[most].prefix }
        guard let bound else { return }
        places = []
        numbers = [:]
        for place in sorted {
            if place.prefix < bound {
                numbers[place.prefix] = places.count
                places.append(place)
            } else {
                others.entries += place.entries
                others.bytes += place.bytes
            }
        }
    }

    private static let folders: [StorageKey] = ["logical/", "auth/", "audit/"]
    private static let namespaces: StorageKey = "namespaces/"

    /// How many bytes of a key name its place, and whether all keys that begin with them belong there.
    private static func prefixLength(of key: UnsafeRawBufferPointer) -> (length: Int, isDeep: Bool) {
        let slash = UInt8(ascii: "/")
        guard let first = key.firstIndex(of: slash) else { return (0, false) }
        var start = 0
        var length = first + 1
        if key.begins(with: namespaces) {
            guard let id = key[length...].firstIndex(of: slash) else { return (length, false) }
            start = id + 1
            guard let folder = key[start...].firstIndex(of: slash) else { return (start, false) }
            length = folder + 1
        }
        let rest = UnsafeRawBufferPointer(rebasing: key[start...])
        if folders.contains(where: rest.begins) {
            guard let mount = key[length...].firstIndex(of: slash) else { return (length, false) }
            length = mount + 1
        }
        return (length, true)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the first bytes are those of a key.
    func begins(with prefix: StorageKey) -> Bool {
        guard count >= prefix.bytes.count else { return false }
        let start = UnsafeRawBufferPointer(rebasing: self[..<prefix.bytes.count])
        return prefix.bytes.withBytes { compareBytes(start, $0) } == 0
    }

    /// Whether the first bytes are those of a text.
    func hasPrefix(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        let start = UnsafeRawBufferPointer(rebasing: self[..<text.utf8CodeUnitCount])
        return text.withUTF8Buffer { compareBytes(start, UnsafeRawBufferPointer($0)) } == 0
    }

    /// Whether the bytes are those of a text, so that a `switch` can tell names apart.
    static func ~= (text: StaticString, bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count == text.utf8CodeUnitCount && bytes.hasPrefix(text)
    }

    /// Whether the bytes are those of a key.
    func equals(_ key: StorageKey) -> Bool { count == key.bytes.count && begins(with: key) }
}
