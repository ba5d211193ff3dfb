/// How long the plaintext of a keyring is at least: JSON, with keys of 32 bytes in base64 (Vault 1.14 `vault/keyring.go`,
/// `EncodedKeyring`, `Key`). Members that older releases leave out are left out here.
enum KeyringForm {
    private static let base64KeyBytes = 44
    private static let frame = #"{"MasterKey":"","Keys":[]}"#.utf8.count + base64KeyBytes
    private static let key =
        #"{"Term":1,"Version":1,"Value":"","InstallTime":"0001-01-01T00:00:00Z"}"#.utf8.count + base64KeyBytes

    /// - Parameter terms: Keys in it, at least one.
    static func fewestBytes(_ terms: Int) -> Int { frame + terms * key + (terms - 1) }
}
