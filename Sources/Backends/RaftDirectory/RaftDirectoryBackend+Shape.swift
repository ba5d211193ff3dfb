package import Bolt
import Glibc
package import Storage

/// One of a node's files, and how its pages are used.
package struct NodeFileShape: Sendable {
    /// From the directory on: `vault.db`, `raft/raft.db`.
    package let name: String
    package let shape: BoltShape

    package init(name: String, shape: BoltShape) {
        self.name = name
        self.shape = shape
    }
}

extension RaftDirectoryBackend {
    /// Reads all pages in use of the data's file, and of the log's if it is a bbolt file that can be read.
    ///
    /// - Throws: `.damagedStore` if the data's file contradicts its format; `.cancelled`; `.io`.
    package func fileShapes(
        isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) -> [NodeFileShape] {
        var shapes = [try Self.shape(of: "\(location)/vault.db", named: "vault.db", isCancelled)]
        let log = "\(location)/raft/raft.db"
        if access(log, F_OK) == 0 { shapes.append(try Self.shape(of: log, named: "raft/raft.db", isCancelled)) }
        return shapes
    }

    /// The folder of a log in segments, which no `raft.db` stands in for; `nil` if there is none.
    package var segments: String? {
        let folder = "\(location)/raft/wal"
        return access("\(location)/raft/raft.db", F_OK) != 0 && access(folder, F_OK) == 0 ? folder : nil
    }

    /// How the pages of any bbolt file are used.
    ///
    /// - Parameter name: What to call it.
    /// - Throws: `.missingStore`, `.inUse`, `.damagedStore`, `.cancelled`, `.io`.
    package static func shape(
        of path: String, named name: String, _ isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) -> NodeFileShape {
        try storageErrors {
            let reader = try BoltReader(path: path)
            defer { reader.close() }
            guard let shape = try reader.shape(isCancelled: isCancelled) else { throw StorageError.cancelled }
            return NodeFileShape(name: name, shape: shape)
        }
    }
}
