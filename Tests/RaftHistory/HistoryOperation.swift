/// One operation of a client on one key, as the client saw it. Keys and values are bytes; a value of `nil` is an absent
/// entry.
///
/// An operation that surely had no effect (a node answered that it does not lead, say) is left out of a history.
package struct HistoryOperation: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// Read the key and found this.
        case get([UInt8]?)
        /// Wrote this, or removed the entry.
        case put([UInt8]?)
        /// Wrote `new` if the key held `expected`: `taken` says whether it did.
        case checkAndPut(expected: [UInt8]?, new: [UInt8]?, taken: Bool)
    }

    /// Who ran it; only for explanations.
    package var client: Int
    package var key: [UInt8]
    package var kind: Kind
    /// When it was sent, since any moment that all operations of a history share.
    package var invoked: Duration
    /// When its answer came, not before `invoked`; `nil` if its outcome is not known. A write without one may have
    /// taken effect at any time after it was sent, also after everything else, or never; whether a check-and-put was
    /// `taken` is then not looked at, and a get tells nothing.
    package var returned: Duration?

    package init(client: Int = 0, key: [UInt8], _ kind: Kind, invoked: Duration, returned: Duration?) {
        precondition(returned.map { $0 >= invoked } ?? true, "an answer cannot come before its request")
        self.client = client
        self.key = key
        self.kind = kind
        self.invoked = invoked
        self.returned = returned
    }
}

extension HistoryOperation: CustomStringConvertible {
    /// When, who, what: `1.250000 to 1.300000 s, client 3: put "a"`.
    package var description: String {
        let end = returned.map { "to \(seconds($0)) s" } ?? "s, no answer"
        return "\(seconds(invoked)) \(end), client \(client): \(kind)"
    }
}

extension HistoryOperation.Kind: CustomStringConvertible {
    package var description: String {
        switch self {
        case .get(let found): "get found \(shown(found))"
        case .put(let value): value == nil ? "delete" : "put \(shown(value))"
        case .checkAndPut(let expected, let new, let taken):
            "check-and-put \(shown(expected)) to \(shown(new)), \(taken ? "taken" : "refused")"
        }
    }
}

/// Bytes as text in quotes, what is not printable as `\xNN`, and not more than the first 24.
func shown(_ bytes: [UInt8]?) -> String {
    guard let bytes else { return "nothing" }
    var text = ""
    for byte in bytes.prefix(24) {
        if byte >= 0x20, byte < 0x7F, byte != 0x22, byte != 0x5C {
            text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            let digits = String(byte, radix: 16)
            text += "\\x" + (digits.count == 1 ? "0" : "") + digits
        }
    }
    return "\"\(text)\"" + (bytes.count > 24 ? "… (\(bytes.count) bytes)" : "")
}

/// Seconds with six digits behind the point.
private func seconds(_ time: Duration) -> String {
    let (seconds, attoseconds) = time.components
    let fraction = String(attoseconds.magnitude / 1_000_000_000_000)
    let sign = time < .zero ? "-" : ""
    return "\(sign)\(seconds.magnitude).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)"
}
