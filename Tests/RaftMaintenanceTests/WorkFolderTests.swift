import Foundation
import Storage
import TestSupport
import Testing

@testable import RaftMaintenance

/// What stands in the work folder is removed only if it was made there, or has another name.
@Suite struct WorkFolderTests {
    /// A node's directory with a file, a work folder whose mark says `line`, and what `prepare` puts there.
    private func clear(
        _ line: (_ old: UInt64, _ new: UInt64) -> String, _ prepare: (String) throws -> Void
    ) throws -> (names: [String], said: [String]) {
        try Scratch.withFolder { path in
            let work = "\(path)/.sealift-work"
            try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
            try Scratch.write("the old file".utf8, to: "\(path)/vault.db")
            try Scratch.write("the new file".utf8, to: "\(work)/vault.db")
            let node = try #require(try NodeFolder(path))
            let old = try #require(try node.status(of: "vault.db")).inode
            let new = try #require(try NodeFolder(work)?.status(of: "vault.db")).inode
            try Scratch.write("sealift work folder 1\n\(line(old, new))".utf8, to: "\(work)/sealift-work")
            try prepare(path)
            let folder = try WorkFolder(in: node)
            let said = try folder.clear()
            folder.release()
            return (Scratch.names(in: path), said)
        }
    }

    private func exchange(_ old: UInt64, _ new: UInt64) -> String {
        "exchange vault.db \(old) \(new) vault.db.before-x\n"
    }

    @Test func aFileThatWasBeingMadeGoes() throws {
        let (names, said) = try clear({ _, _ in "" }, { _ in })
        #expect(
            names == ["vault.db"] && said.count == 1 && said[0].contains("was cut off while it made a new vault.db"))
    }

    @Test func theSecondNameOfTheOldFileGoesBeforeTheExchange() throws {
        let (names, said) = try clear(exchange) { path in
            #expect(link("\(path)/vault.db", "\(path)/vault.db.before-x") == 0)
        }
        #expect(names == ["vault.db"] && said.count == 2 && said[1].contains("the old one is in place"))
    }

    @Test func theOldFileIsKeptAfterTheExchange() throws {
        let (names, said) = try clear(exchange) { path in
            #expect(link("\(path)/vault.db", "\(path)/vault.db.before-x") == 0)
            #expect(rename("\(path)/.sealift-work/vault.db", "\(path)/swap") == 0)
            #expect(rename("\(path)/vault.db", "\(path)/.sealift-work/vault.db") == 0)
            #expect(rename("\(path)/swap", "\(path)/vault.db") == 0)
        }
        #expect(names == ["vault.db", "vault.db.before-x"] && said.count == 1 && said[0].contains("is kept as"))
    }

    /// The old file without another name, or a stranger's, in place of the new one.
    @Test(arguments: [true, false])
    func whatIsNeitherIsLeft(_ isOld: Bool) throws {
        #expect(throws: StorageError.self) {
            _ = try clear(exchange) { path in
                // Made before the other goes, whose number it could get.
                if !isOld { try Scratch.write("keep me".utf8, to: "\(path)/keep") }
                let name = isOld ? "vault.db" : "keep"
                #expect(rename("\(path)/\(name)", "\(path)/.sealift-work/vault.db") == 0)
            }
        }
    }

    /// A mark that names other files than copies of ours leads to nothing.
    @Test(arguments: [
        "exchange vault.db 1 2 vault.db", "exchange vault.db OLD NEW node-id", "exchange x", "\u{0}\u{0}",
    ])
    func aMarkThatNamesOtherFilesLeadsToNothing(_ line: String) throws {
        let (names, _) = try clear({ old, new in
            line.replacing("OLD", with: "\(old)").replacing("NEW", with: "\(new)")
        }) { path in
            #expect(link("\(path)/vault.db", "\(path)/node-id") == 0)
        }
        #expect(names == ["node-id", "vault.db"])
    }

    @Test func twoDoNotHoldItAtOnce() throws {
        try Scratch.withFolder { path in
            let node = try #require(try NodeFolder(path))
            let first = try WorkFolder(in: node)
            #expect(throws: StorageError.self) { _ = try WorkFolder(in: node) }
            first.release()
            #expect(Scratch.names(in: path).isEmpty)
        }
    }
}
