import Foundation
import TestSupport
import Testing

/// A drills' folder and files that describe drills, for one test.
struct Drilling {
    let sandbox: Sandbox
    var folder: String { "\(sandbox.path)/drills" }

    /// Writes a drill's file and gives its path.
    ///
    /// - Parameters:
    ///   - source: A `storage_source` block.
    ///   - server: What stands in the server block; `nil` for none.
    func file(_ source: String, _ options: String = "", server: String? = nil, name: String = "drill.hcl") throws
        -> String
    {
        let served = server.map { "server {\n\($0)\n}\n" } ?? ""
        return try sandbox.write(name, "\(source)drill {\n  folder = \"\(folder)\"\n\(options)\n}\n\(served)")
    }

    /// Names of copies that are there.
    var copies: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasPrefix("scratch-") }
            .sorted()
    }

    /// The reports, oldest first.
    func reports() throws -> [[String: Any]] {
        let history = "\(folder)/history"
        guard exists(history) else { return [] }
        let names = try FileManager.default.contentsOfDirectory(atPath: history).filter { $0.hasSuffix(".json") }
        return try names.sorted().compactMap { name in
            let data = try Data(contentsOf: URL(filePath: "\(history)/\(name)"))
            return try JSONSerialization.jsonObject(with: data) as? [String: Any]
        }
    }

    /// The last report.
    func report() throws -> [String: Any] { try #require(try reports().last) }

    /// The names of the phases of a report.
    static func phases(_ report: [String: Any]) -> [String] {
        (report["phases"] as? [[String: Any]] ?? []).compactMap { $0["phase"] as? String }
    }

    /// An executable script.
    func script(_ name: String, _ text: String) throws -> String {
        let path = try sandbox.write(name, "#!/bin/sh\n\(text)\n")
        try sandbox.shell("chmod 700 '\(path)'")
        return path
    }

    /// A program that stands in the place of a server and misbehaves in one way.
    func stub(_ kind: String) throws -> String {
        try script("stub-\(kind)", "exec python3 '\(pythonProgram("stub_server.py"))' \(kind) \"$@\"")
    }
}
