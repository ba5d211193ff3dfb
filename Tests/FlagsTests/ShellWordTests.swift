import Foundation
import Testing
import Wording

@Suite struct ShellWordTests {
    /// The last two have quotes that are no characters of their own.
    @Test(arguments: ["", "plain-1.2/x", "a b", "it's", "$HOME `id` \"\\", "a\nb", "'\u{301}", "x'\u{200d}';id;'"])
    func aShellReadsItBack(_ text: String) throws {
        for word in [shellWord(text), shellQuoted(text)] {
            let shell = Process()
            shell.executableURL = URL(filePath: "/bin/sh")
            shell.arguments = ["-c", "printf %s \(word)"]
            let output = Pipe()
            shell.standardOutput = output
            try shell.run()
            let said = output.fileHandleForReading.readDataToEndOfFile()
            shell.waitUntilExit()
            #expect(Array(said) == Array(text.utf8), "\(word)")
        }
        #expect(shellWord("plain-1.2/x") == "plain-1.2/x")
    }
}
