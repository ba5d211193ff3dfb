/// Why a file is no snapshot archive that can be used, by what it is instead.
package struct SnapshotDefect: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
        // What people keep as snapshots and are none.
        case empty
        case zeros
        case jsonAnswer = "json_answer"
        case redirect
        case htmlPage = "html_page"
        case plainTar = "plain_tar"
        case gzipOfGzip = "gzip_of_gzip"
        case otherCompression = "other_compression"
        case consulSnapshot = "consul_snapshot"
        case etcdSnapshot = "etcd_snapshot"
        case boltFile = "bolt_file"
        case encrypted
        case base64
        case convertedText = "converted_text"
        case unknown

        // What began as one.
        case cutOff = "cut_off"
        case damaged
        case wrongChecksum = "wrong_checksum"
        case foreignMember = "foreign_member"
        case missingMember = "missing_member"
        case unsupportedVersion = "unsupported_version"
        case noEntries = "no_entries"
        case notInitialised = "not_initialised"
    }

    package let kind: Kind
    /// What it is, where, and what to do.
    package let message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }
}
