/// An answer of hashicorp/raft's network protocol: an error's text, empty if there is none, and then the answer's map.
package enum WireResponse: Hashable, Sendable {
    /// `last` is where the log ended before the call.
    case append(WireHeader, term: UInt64, last: UInt64, isSuccess: Bool, skipsBackoff: Bool)
    case vote(WireHeader, term: UInt64, isGranted: Bool)
    /// Its header is empty.
    case snapshot(term: UInt64, isSuccess: Bool)
    /// Its header is empty.
    case timeoutNow
    case preVote(WireHeader, term: UInt64, isGranted: Bool)
    case description(NodeDescription)
    /// The call failed at the other end.
    case failure(String)

    /// Which call is answered.
    package enum Kind: Sendable {
        case append
        case vote
        case snapshot
        case timeoutNow
        case preVote
        case describe
    }

    /// The bytes on the connection.
    package var encoded: [UInt8] {
        var fields = (header ?? WireHeader(version: 0, id: [], address: [])).fields
        switch self {
        case .append(_, let term, let last, let isSuccess, let skipsBackoff):
            fields["Term"] = .unsigned(term)
            fields["LastLog"] = .unsigned(last)
            fields["Success"] = .boolean(isSuccess)
            fields["NoRetryBackoff"] = .boolean(skipsBackoff)
        case .vote(_, let term, let isGranted):
            fields["Term"] = .unsigned(term)
            fields["Peers"] = .null
            fields["Granted"] = .boolean(isGranted)
        case .snapshot(let term, let isSuccess):
            fields["Term"] = .unsigned(term)
            fields["Success"] = .boolean(isSuccess)
        case .timeoutNow: break
        case .preVote(_, let term, let isGranted):
            fields["Term"] = .unsigned(term)
            fields["Granted"] = .boolean(isGranted)
        case .description(let description): fields = description.fields
        case .failure(let text):
            var bytes: [UInt8] = []
            MessagePack.bytes(Array(text.utf8)).write(to: &bytes)
            MessagePack.null.write(to: &bytes)
            return bytes
        }
        var bytes: [UInt8] = [0xa0]
        MessagePack.map(fields).write(to: &bytes)
        return bytes
    }

    private var header: WireHeader? {
        switch self {
        case .append(let header, _, _, _, _), .vote(let header, _, _), .preVote(let header, _, _): header
        case .snapshot, .timeoutNow, .failure, .description: nil
        }
    }

    /// Reads an answer from what has come of a connection.
    ///
    /// - Parameter kind: The call that was made.
    /// - Returns: The answer and how many bytes it took; `nil` if it has not come whole.
    /// - Throws: For what is no answer to such a call.
    package static func decode(
        _ input: ArraySlice<UInt8>, to kind: Kind
    ) throws(RaftFormatError) -> (WireResponse, count: Int)? {
        var decoder = MessagePackDecoder(input)
        guard let error = try decoder.next(), let value = try decoder.next() else { return nil }
        let count = decoder.position - input.startIndex
        guard let text = error.content, text.count <= 16 << 10 else {
            throw RaftFormatError("an answer does not begin with a text")
        }
        guard text.isEmpty else { return (.failure(String(decoding: text, as: UTF8.self)), count) }
        return (try WireResponse(kind, value), count)
    }

    private init(_ kind: Kind, _ value: MessagePack) throws(RaftFormatError) {
        func read(_ what: String, _ names: [String]) throws(RaftFormatError) -> MessageFields {
            try MessageFields(value, "the answer to \(what)", names: WireHeader.names + names)
        }
        switch kind {
        case .append:
            let fields = try read("AppendEntries", ["Term", "LastLog", "Success", "NoRetryBackoff"])
            self = .append(
                try WireHeader(fields), term: try fields.number("Term"), last: try fields.number("LastLog"),
                isSuccess: try fields.flag("Success"), skipsBackoff: try fields.flag("NoRetryBackoff"))
        case .vote:
            let fields = try read("RequestVote", ["Term", "Peers", "Granted"])
            self = .vote(
                try WireHeader(fields), term: try fields.number("Term"), isGranted: try fields.flag("Granted"))
        case .snapshot:
            let fields = try read("InstallSnapshot", ["Term", "Success"])
            self = .snapshot(term: try fields.number("Term"), isSuccess: try fields.flag("Success"))
        case .describe: self = .description(try NodeDescription(value))
        case .timeoutNow:
            _ = try read("TimeoutNow", [])
            self = .timeoutNow
        case .preVote:
            let fields = try read("RequestPreVote", ["Term", "Granted"])
            self = .preVote(
                try WireHeader(fields), term: try fields.number("Term"), isGranted: try fields.flag("Granted"))
        }
    }
}
