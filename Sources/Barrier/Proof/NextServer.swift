/// A server that a store may be moved to, and the plugins that it has built in: a mount of any other type is kept and not
/// served until a plugin of that name is registered.
///
/// Vault 1.14 and OpenBao 2.7: a store with mounts of every type that Vault 1.14.9 has, started on Vault 1.14.9 and on OpenBao
/// 2.7.2 as PyPI carries it; OpenBao 2.6: `sys/plugins/catalog` of 2.6.2.
package enum NextServer: String, Sendable, CaseIterable {
    case openBao26 = "openbao-2.6"
    case openBao27 = "openbao-2.7"
    case vault114 = "vault-1.14"

    /// What every server has, whatever plugins it knows.
    private static let always: Set<String> = [
        "system", "identity", "cubbyhole", "token", "ns_system", "ns_identity", "ns_cubbyhole", "ns_token",
    ]
    private static let secretsOfAll: Set<String> = [
        "database", "kubernetes", "kv", "pki", "rabbitmq", "ssh", "totp", "transit",
    ]
    private static let methodsOfAll: Set<String> = ["cert", "jwt", "oidc", "kubernetes", "approle", "userpass"]
    private static let secretsOfVault: Set<String> = [
        "ad", "alicloud", "aws", "azure", "consul", "gcp", "gcpkms", "ldap", "mongodbatlas", "nomad", "openldap",
        "terraform",
    ]
    private static let methodsOfVault: Set<String> = [
        "alicloud", "aws", "azure", "centrify", "cf", "gcp", "github", "kerberos", "ldap", "oci", "okta", "radius",
    ]

    /// Whether the server serves a mount as it comes.
    package func hasPlugin(for mount: Mount) -> Bool {
        if mount.kind == .audit || Self.always.contains(mount.type) { return true }
        let isAuth = mount.kind == .auth
        if (isAuth ? Self.methodsOfAll : Self.secretsOfAll).contains(mount.type) { return true }
        switch self {
        case .openBao27: return false
        case .openBao26: return (isAuth ? ["kerberos", "ldap", "radius"] : ["ldap", "openldap"]).contains(mount.type)
        case .vault114: return (isAuth ? Self.methodsOfVault : Self.secretsOfVault).contains(mount.type)
        }
    }
}
