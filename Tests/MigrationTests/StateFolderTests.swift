import Foundation
import Storage
import TestSupport
import Testing

@testable import Migration

@Suite struct StateFolderTests {
    private static let job = String(repeating: "a", count: 16)
    private static let otherJob = String(repeating: "b", count: 16)

    @Test func oneRunAtATimeHoldsAFolder() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/deep/er/state"
            let first = try StateFolder(path: path, fingerprint: Self.job, job: "x to y")
            for name in ["deep", "deep/er", "deep/er/state"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")
                #expect(attributes[.posixPermissions] as? Int == 0o700)
            }
            let error = #expect(throws: StorageError.self) {
                try StateFolder(path: path, fingerprint: Self.job, job: "x to y")
            }
            #expect(error?.code == .inUse)
            first.close()
            first.close()
            try StateFolder(path: path, fingerprint: Self.job, job: "x to y").close()
            // Let go without closing.
            _ = try StateFolder(path: path, fingerprint: Self.job, job: "x to y")
            try StateFolder(path: path, fingerprint: Self.job, job: "x to y").close()
        }
    }

    @Test func anotherJobsFolderIsRefused() throws {
        try Scratch.withFolder { folder in
            try StateFolder(path: folder, fingerprint: Self.job, job: "x to y").close()
            let error = #expect(throws: StorageError.self) {
                try StateFolder(path: folder, fingerprint: Self.otherJob, job: "x to z")
            }
            #expect(error?.code == .configuration)
            #expect(error?.message.contains("(x to y)") == true)
            // The refusal gave the lock back and changed nothing; the same job may be worded otherwise.
            try StateFolder(path: folder, fingerprint: Self.job, job: "X to Y").close()
            #expect(try Scratch.bytes("\(folder)/job") == Array("\(Self.job) X to Y\n".utf8))
            // A file that was cut off while it was written belongs to whoever comes.
            try Scratch.write(Array(Self.otherJob.utf8), to: "\(folder)/job")
            try StateFolder(path: folder, fingerprint: Self.job, job: "x").close()
            #expect(try Scratch.bytes("\(folder)/job") == Array("\(Self.job) x\n".utf8))
        }
    }

    @Test func aFileInThePlaceOfTheFolderIsRefused() throws {
        try Scratch.withFolder { folder in
            try Scratch.write([1], to: "\(folder)/file")
            for path in ["\(folder)/file", "\(folder)/file/below"] {
                #expect(throws: StorageError.self) { try StateFolder(path: path, fingerprint: Self.job, job: "j") }
            }
        }
    }

    @Test func filesAreWrittenWholeForTheirOwnerOnly() throws {
        try Scratch.withFolder { folder in
            let state = try StateFolder(path: folder, fingerprint: Self.job, job: "j")
            for bytes in [[], [1, 2, 3], [UInt8](repeating: 7, count: 3 << 20)] as [[UInt8]] {
                try state.write("report.json", bytes)
                #expect(try Scratch.bytes(state.reportPath) == bytes)
            }
            let attributes = try FileManager.default.attributesOfItem(atPath: state.reportPath)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(Scratch.names(in: folder) == ["job", "lock", "report.json"])
            #expect(!state.hasProvenRun)
            try state.write(StateFolder.provenName, [])
            #expect(state.hasProvenRun)
            state.remove(StateFolder.provenName)
            state.remove(StateFolder.provenName)
            #expect(!state.hasProvenRun)
        }
    }

    @Test func jobsAreToldApartByTheirStoresAndTheirDirection() throws {
        let (a, b) = (StoreIdentity("file:/a"), StoreIdentity("file:/b"))
        let prints = try [
            StateFolder.fingerprint(source: a, destinations: [b]),
            StateFolder.fingerprint(source: b, destinations: [a]),
            StateFolder.fingerprint(source: a, destinations: [a]),
        ]
        #expect(Set(prints).count == 3)
        #expect(prints.allSatisfy { $0.count == 16 })
        #expect(try StateFolder.fingerprint(source: a, destinations: [b]) == prints[0])
        let store = ScriptedStore([])
        let paths = try [["XDG_STATE_HOME": "/s", "HOME": "/h"], ["XDG_STATE_HOME": "", "HOME": "/h"]].map {
            try StateFolder.defaultPath(destinations: [store], fingerprint: "f", environment: $0)
        }
        #expect(paths == ["/s/sealift/f", "/h/.local/state/sealift/f"])
        // A folder that anybody could have made, such as one below /tmp, is never chosen.
        #expect {
            try StateFolder.defaultPath(destinations: [store], fingerprint: "f", environment: ["HOME": ""])
        } throws: {
            ($0 as? StorageError)?.code == .configuration
        }
    }
}
