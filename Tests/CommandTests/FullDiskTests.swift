import Foundation
import TestSupport
import Testing

/// The disk fills up while a run is under way, before every change it makes, or was too small from the beginning. The program
/// `Tests/pythonprograms/full_disk.py` says what must hold then.
@Suite struct FullDiskTests {
    private static let pairs = [
        "file-raft", "raft-file", "file-sqlite", "sqlite-file", "dynamodb-raft", "file-dynamodb",
    ]
    /// Images are mounted by root alone.
    private static let fileSystems = Effort.isThorough && geteuid() == 0 ? ["tmpfs", "ext4"] : ["tmpfs"]

    @Test(arguments: pairs, fileSystems)
    func nothingIsLostAndTheSameCommandGoesOn(_ pair: String, _ fileSystem: String) throws {
        let sandbox = try Sandbox()
        // A space of mounts of its own, gone with the program; whoever is not root becomes so in a space of users.
        let said = try runProgram(
            "unshare",
            (geteuid() == 0 ? ["-m"] : ["-r", "-m"]) + [
                "python3", "-B", pythonProgram("full_disk.py"), Sandbox.program, try Steps.library.get(), sandbox.path,
                "\(Effort.stride(8))", "\(Effort.seed)", pair, fileSystem,
            ])
        for sign in [" 0 broken", "no space left on device", "  done\n"] {
            #expect(said.contains(sign), "\(sign): \(said)")
        }
    }
}
