import Foundation

/// Looks for secrets in everything that a run has left: logs, reports, state, temporary and core files.
package struct SecretSearch {
    private let forms: [(name: String, bytes: [UInt8])]

    /// - Parameter secrets: Bytes that must stand nowhere: as they are, in hexadecimal of either case, or in base64 at any
    ///   offset.
    package init(_ secrets: [[UInt8]]) {
        var forms: [(String, [UInt8])] = []
        for (index, secret) in secrets.enumerated() where secret.count >= 8 {
            forms.append(("secret \(index) as bytes", secret))
            let hex = secret.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            forms.append(("secret \(index) in hexadecimal", Array(hex.utf8)))
            forms.append(("secret \(index) in hexadecimal", Array(hex.uppercased().utf8)))
            for offset in 0..<3 {
                // Whole groups of four only: what stands beside decides the first and the last digits.
                let text = Data([UInt8](repeating: 0, count: offset) + secret).base64EncodedString()
                let inner = Array(text.utf8).dropFirst(offset == 0 ? 0 : 4).dropLast(4)
                forms.append(("secret \(index) in base64", Array(inner)))
            }
        }
        self.forms = forms
    }

    /// Where a secret stands in a text.
    package func find(in text: some Sequence<UInt8>, named name: String) -> [String] {
        let data = Data(text)
        return forms.filter { data.range(of: Data($0.bytes)) != nil }.map { "\(name): \($0.name)" }
    }

    /// Where a secret stands in the files below a folder.
    ///
    /// - Parameter except: Files that are there to hold them.
    package func find(below folder: String, except: Set<String> = []) throws -> [String] {
        var found: [String] = []
        for name in Scratch.names(in: folder) {
            let path = "\(folder)/\(name)"
            var info = stat()
            guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG, !except.contains(path) else { continue }
            found += find(in: try Scratch.bytes(path), named: path)
        }
        return found
    }
}
