import Foundation

/// Runs that are ended or halted just before one of their changes to the disk (`Tests/steps/steps.c`).
enum Steps {
    /// More changes than any run here makes.
    static let maximum = 400

    /// The library, built once.
    static let library = Result { () throws -> String in
        let output = "\(FileManager.default.temporaryDirectory.path)/sealift-steps-\(getpid()).so"
        let compiler = Process()
        compiler.executableURL = URL(filePath: "/usr/bin/env")
        compiler.arguments = [
            "gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", output,
            "\(Sandbox.packageRoot)/Tests/steps/steps.c", "-ldl",
        ]
        try compiler.run()
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else {
            throw RunningProgram.Failure(description: "gcc cannot build Tests/steps/steps.c")
        }
        atexit { unlink("\(FileManager.default.temporaryDirectory.path)/sealift-steps-\(getpid()).so") }
        return output
    }

    static func variables(_ settings: [String: String]) throws -> [String: String] {
        ["LD_PRELOAD": try library.get()].merging(settings) { $1 }
    }
}
