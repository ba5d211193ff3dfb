import Bolt
import Foundation
import Glibc
import Migration
import RaftDirectoryBackend
import RaftFormat
import Storage
import TestSupport
import Testing

/// A directory to be built, as the driver opens it for these settings.
func destination(
    _ path: String, id: String? = "node1", address: String = "https://10.0.0.11:8201", isPractice: Bool = false,
    environment: [String: String] = [:]
) throws -> RaftDirectoryDestination {
    var settings = [BackendSetting(name: "path", value: path)]
    if let id { settings.append(BackendSetting(name: "node_id", value: id)) }
    let store = try RaftDirectoryBackend.driver().openDestination?(
        BackendSettings(block: "storage_destination", settings: settings, environment: environment),
        DestinationContext(clusterAddress: address, isPractice: isPractice))
    return try #require(store as? RaftDirectoryDestination)
}

/// Fills a destination up to the point where it could be published.
func filled(
    _ destination: RaftDirectoryDestination, _ entries: [Entry], owner: FileOwner? = nil
) throws -> any BulkLoader {
    let loader = try destination.bulkLoader(LoadPlan(owner: owner))
    for batch in batches(of: entries) { try loader.load(batch) }
    try loader.finish()
    try loader.sync()
    return loader
}

/// Builds a directory under its final name.
func build(_ destination: RaftDirectoryDestination, _ entries: [Entry], owner: FileOwner? = nil) throws {
    try filled(destination, entries, owner: owner).publish()
}

/// A built directory that is ready to be read, in a folder of its own.
func withDirectory(
    of entries: [Entry], _ body: (_ store: RaftDirectoryBackend, _ path: String) throws -> Void
) throws {
    try Scratch.withFolder { folder in
        let path = "\(folder)/raft"
        try build(destination(path), entries)
        let store = try RaftDirectoryBackend(path: path)
        try body(store, path)
        store.close()
        try GoProgram.boltcheck.run("check", "\(path)/vault.db")
        try GoProgram.boltcheck.run("check", "\(path)/raft/raft.db")
    }
}

/// The manifest lines of a store, without the keys that are no data.
func manifest(of store: any StorageSource) throws -> [UInt8] {
    var options = DigestedScan.Options()
    options.writesManifestLines = true
    let scan = DigestedScan(store, options)
    defer { scan.stop() }
    var lines: [UInt8] = []
    while let batch = try scan.nextBatch() {
        lines += batch.manifestLines
        batch.recycle()
    }
    return lines
}

/// The records of `vault.db` besides the data.
func configuration(of path: String) throws -> [String: [UInt8]] {
    let reader = try BoltReader(path: "\(path)/vault.db")
    defer { reader.close() }
    var records: [String: [UInt8]] = [:]
    try #require(try reader.bucket(StateMachineNames.config)).visit(from: nil, to: nil) { key, value in
        records[String(decoding: key, as: UTF8.self)] = Array(value)
        return true
    }
    return records
}

/// Permission bits and owner of a file or folder.
func mode(_ path: String) throws -> (bits: UInt32, owner: FileOwner) {
    var info = stat()
    try #require(lstat(path, &info) == 0, "\(path) is not there")
    return (info.st_mode & 0o7777, FileOwner(user: info.st_uid, group: info.st_gid))
}
