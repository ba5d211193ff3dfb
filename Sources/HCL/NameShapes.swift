/// The types of storage that Vault up to 1.14 and OpenBao up to 2.7 know, lower case (their servers' tables of physical
/// backends). What stands in their place in a file is a name and no secret.
package let knownStorageTypes: Set<String> = [
    "aerospike", "alicloudoss", "azure", "cassandra", "cockroachdb", "consul", "couchdb", "couchdb_transactional",
    "dynamodb", "etcd", "file", "file_transactional", "foundationdb", "gcs", "inmem", "inmem_ha",
    "inmem_transactional", "inmem_transactional_ha", "manta", "mssql", "mysql", "oci", "pebbledb", "postgresql",
    "raft", "s3", "spanner", "sqlite", "swift", "zookeeper",
]

/// Longest name, and longest part of one between `_`, `-` and `.`, that is shown.
private let longestShownName = 40
private let longestShownPart = 20
/// Names of options have a version or a number in them at most; keys and passwords have more.
private let mostShownDigits = 4

/// A name as messages may show it: itself if it looks like one, else `***`.
///
/// What stands in the place of a name can be a secret that went astray: a value without its `=`, a password with a
/// quotation mark in it.
package func shownName(_ text: String) -> String {
    looksLikeName(text) ? text : "***"
}

/// Whether a text looks like the name of an option or a block: words of letters with few digits, not the letters and
/// digits in any order of a key.
func looksLikeName(_ text: String) -> Bool {
    if text == "//" || text == "#" { return true }
    let scalars = Array(text.unicodeScalars.prefix(longestShownName + 1))
    guard let first = scalars.first, scalars.count <= longestShownName else { return false }
    guard isLetter(first.value) else { return false }
    var part = 0
    var digits = 0
    var capitalsInARow = 0
    var hasCapital = false
    var hasSmall = false
    var hasCapitalsInARow = false
    for scalar in scalars {
        switch scalar.value {
        case 0x5F, 0x2D, 0x2E:
            part = -1
            capitalsInARow = 0
        case _ where isDigit(scalar.value):
            digits += 1
            capitalsInARow = 0
        case 0x41...0x5A:
            hasCapital = true
            capitalsInARow += 1
            if capitalsInARow > 1 { hasCapitalsInARow = true }
        case _ where isLetter(scalar.value):
            hasSmall = true
            capitalsInARow = 0
        default: return false
        }
        part += 1
        if part > longestShownPart { return false }
    }
    if hasCapital { return digits == 0 && !(hasCapitalsInARow && hasSmall) }
    return digits <= mostShownDigits
}

/// Names that files of servers and migrations have at their top or in a stanza of storage.
private let familiarNames: Set<String> = [
    "api_addr", "backend", "cluster_addr", "endpoint", "ha_backend", "ha_enabled", "ha_storage", "listener",
    "max_parallel", "node_id", "path", "region", "retry_join", "seal", "storage", "storage_destination",
    "storage_source", "table", "telemetry", "ui",
]

/// Whether a word with neither `=` nor `{` nor a label behind it may be shown: it can as well be a password that lost its
/// quotation marks as a name. One of a letter or two gives nothing away.
func isHarmlessAlone(_ text: String) -> Bool {
    familiarNames.contains(text) || text.utf8.count <= 2 && looksLikeName(text)
}

/// Words that stand where a value was meant and give nothing away.
private let harmlessWords: Set<String> = ["true", "false", "yes", "no", "on", "off", "null", "nil", "none"]

/// A bare word found where a value belongs, as messages may show it.
func shownWord(_ text: String) -> String {
    harmlessWords.contains(text.lowercased())
        || !text.unicodeScalars.contains { isLetter($0.value) || isDigit($0.value) }
        ? text : "***"
}
