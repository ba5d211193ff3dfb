import Foundation

/// The README, or another page, taken apart: files it shows, commands to be run in order, and lines that stand alone.
struct Readme {
    struct File {
        let name: String
        let text: String
    }

    private(set) var files: [File] = []
    /// Command lines of `sh` blocks, in order.
    private(set) var commands: [String] = []
    /// Indented command lines, each independent of the others.
    private(set) var examples: [String] = []
    let text: String

    static let commandsPage = "Sources/sealift/sealift.docc/Commands.md"
    static let backendsPage = "Sources/sealift/sealift.docc/Backends.md"
    static let threeMachinesPage = "Sources/RaftCluster/RaftCluster.docc/ThreeMachines.md"
    static let rehearsalPage = "Sources/Practice/Practice.docc/Rehearsal.md"

    static let reportsPage = "Sources/sealift/sealift.docc/ReportsAndLiveView.md"
    static let passesPage = "Sources/Migration/Migration.docc/Passes.md"
    static let wholeClusterPage = "Sources/Backends/RaftDirectory/RaftDirectoryBackend.docc/WholeCluster.md"
    static let drillsPage = "Sources/Drill/Drill.docc/Drills.md"
    static let snapshotsPage = "Sources/Backends/RaftSnapshot/RaftSnapshotBackend.docc/Snapshots.md"
    static let stoppedNodesPage = "Sources/RaftMaintenance/RaftMaintenance.docc/StoppedNodes.md"

    /// Whether a line shows a form, with options in brackets and arguments in capitals, and not a command.
    private static func isUsage(_ line: String) -> Bool {
        line.contains("[") || line.split(separator: " ").contains { $0.allSatisfy(\.isUppercase) }
    }

    /// - Parameter path: The page, from the package's folder.
    init(_ path: String = "README.md") throws {
        text = try String(contentsOf: packageRoot.appending(path: path), encoding: .utf8)
        var fence: String?
        var block: [String] = []
        var lastName = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("```") {
                if let kind = fence {
                    if kind == "hcl" { files.append(File(name: lastName, text: block.joined(separator: "\n") + "\n")) }
                    if kind == "sh" { commands += block.filter { !$0.isEmpty } }
                    fence = nil
                } else {
                    fence = String(line.dropFirst(3))
                    block = []
                }
            } else if fence != nil {
                block.append(line)
            } else if line.hasPrefix("`"), line.hasSuffix("`:") {
                lastName = String(line.dropFirst().dropLast(2))
            } else if line.hasPrefix("    "), !Self.isUsage(line) {
                examples.append(String(line.dropFirst(4)))
            }
        }
    }
}
