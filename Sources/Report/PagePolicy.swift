import Digest
import JSON

/// What a browser may do for the page: only what stands in it.
package enum PagePolicy {
    /// For the page in a file.
    static let file = "default-src 'none'; style-src \(style); img-src data:; base-uri 'none'; form-action 'none'"

    /// For the page that is served: its own script, and what that asks of the same server.
    package static let live =
        "\(file); script-src \(hash(LiveScript.source)); connect-src 'self'; frame-ancestors 'none'"

    private static let style = hash(ReportStyle.source)

    /// The one text that is let through; without SHA-256 the text is not let through, and the page is plain.
    private static func hash(_ text: String) -> String {
        let digest = try? Array(text.utf8).withUnsafeBytes { try SHA256Digest.of($0) }
        var base64: [UInt8] = []
        digest?.bytes.withUnsafeBytes { Base64.append($0, to: &base64) }
        return "'sha256-\(String(decoding: base64, as: UTF8.self))'"
    }
}
