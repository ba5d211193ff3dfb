/// What was most likely done wrong with a text that is neither HCL nor its JSON form, and what to do about it.
///
/// - Parameter range: Where the parser stopped.
/// - Returns: `nil` if it is none of the usual mistakes; the parser's own advice then fits better.
func commonMistake(in source: SourceText, at range: SourceRange?) -> String? {
    if let advice = encodingMistake(source.bytes) { return advice }
    let line = range.map { String(decoding: source.bytes(ofLine: $0.start.line), as: UTF8.self) } ?? ""
    if line.unicodeScalars.contains(where: { (0x2018...0x201F).contains($0.value) }) {
        return "The line has typographic quotation marks, as word processors and web pages make them. Write \" instead."
    }
    if let range, source.bytes.dropFirst(range.start.offset).first == UInt8(ascii: "'") {
        return "Text stands in double quotation marks here. Write \" instead of '."
    }
    if let origin = foreignOrigin(of: topLevelWords(source)) { return origin }
    guard Document.form(of: source.bytes) == .hcl else { return nil }
    if looksLikeYAML(line) {
        return "This looks like YAML. Here a setting is written name = \"value\", and a block name \"type\" { … }."
    }
    return unquotedValueAdvice(line, errorColumn: range?.start.column ?? 1)
}

/// A file in another encoding than UTF-8, or with a mark before it.
private func encodingMistake(_ bytes: [UInt8]) -> String? {
    let head = bytes.prefix(64)
    let hasMark = bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
    if hasMark || head.count >= 4 && head.count(where: { $0 == 0 }) * 4 > head.count {
        return "The file is UTF-16, as some Windows programs save text. Save it as UTF-8."
    }
    guard bytes.starts(with: [0xEF, 0xBB, 0xBF]) else { return nil }
    return "The file begins with a byte order mark, which servers do not take either. Save it as UTF-8 without one."
}

/// Longest text, in bytes, that is looked through for the words at the beginning of its lines.
private let longestGuess = 1 << 20

/// The words with which lines begin, without indented ones: the names at the top level of most formats.
private func topLevelWords(_ source: SourceText) -> [String] {
    source.bytes.prefix(longestGuess).split(separator: 0x0A).compactMap { line in
        let word = line.drop { $0 == UInt8(ascii: "\"") }.prefix {
            isLetter(UInt32($0)) || isDecimal(UInt32($0)) || $0 == UInt8(ascii: "-")
        }
        let isFollowed = line.dropFirst(word.count).contains { !isBlank(UInt32($0)) }
        return word.isEmpty || !isFollowed ? nil : String(decoding: word, as: UTF8.self)
    }
}

/// A sentence about the program whose file this seems to be, judged by the names at its top level.
///
/// - Returns: `nil` if it can be a file of Vault or OpenBao.
func foreignOrigin(of names: [String]) -> String? {
    let found = Set(names)
    let ours: Set<String> = [
        "storage", "backend", "storage_source", "storage_destination", "ha_storage", "ha_backend", "cluster_addr",
    ]
    guard found.isDisjoint(with: ours) else { return nil }
    func has(_ count: Int, of words: Set<String>) -> Bool { found.intersection(words).count >= count }
    let program: String? =
        if has(1, of: ["terraform", "provider", "resource", "module", "variable", "output", "locals"]) {
            "Terraform or OpenTofu"
        } else if has(1, of: ["auto_auth", "template_config", "api_proxy"]) {
            "an agent of Vault, which has no store of its own"
        } else if has(2, of: ["apiVersion", "kind", "metadata", "spec"]) {
            "Kubernetes"
        } else if has(1, of: ["services"]), has(1, of: ["version", "volumes", "networks", "name", "services"]) {
            "Docker Compose"
        } else if has(1, of: ["log-driver", "storage-driver", "data-root", "insecure-registries"]) {
            "Docker"
        } else if has(2, of: consulAndNomad) {
            "Consul or Nomad"
        } else {
            nil
        }
    if let program { return "This looks like a file of \(program). Give the one of Vault or OpenBao." }
    guard has(1, of: ["listener", "seal", "api_addr", "disable_mlock", "ui", "telemetry"]) else { return nil }
    return "The file is a server's, without its storage stanza; that stands in another file of its folder perhaps."
}

private let consulAndNomad: Set<String> = [
    "datacenter", "data_dir", "bootstrap_expect", "server", "client", "retry_join", "client_addr", "bind_addr",
    "node_name", "encrypt", "acl", "connect", "ports", "ui_config", "plugin", "job", "advertise",
]

/// `name:` at the beginning of a line, or a line of a list.
private func looksLikeYAML(_ line: String) -> Bool {
    let text = line.drop { $0 == " " || $0 == "-" }
    if line.hasPrefix("---") || line.drop(while: { $0 == " " }).hasPrefix("- ") { return true }
    let name = text.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
    let rest = text.dropFirst(name.count)
    return !name.isEmpty && rest.hasPrefix(":") && !rest.hasPrefix("://")
}

/// What to do about `name = value` without quotation marks.
///
/// - Parameter errorColumn: Where in the line the parser stopped, from 1.
private func unquotedValueAdvice(_ line: String, errorColumn: Int) -> String? {
    let head = line.prefix(errorColumn)
    guard let equals = head.lastIndex(of: "=") ?? line.firstIndex(of: "=") else { return nil }
    let name = line[..<equals].split(whereSeparator: { " \t{,".contains($0) }).last ?? ""
    let value = line[line.index(after: equals)...].drop { $0 == " " || $0 == "\t" }
    guard let first = value.first, "/~$.%@*\\".contains(first), !name.isEmpty, !name.contains("\"") else { return nil }
    let variable = first == "$" ? " Variables are not filled in: write what it stands for." : ""
    return "The value has no quotation marks: write name = \"value\".\(variable)"
}
