import TestSupport

/// Fills a server with data of every kind, from a seed, and keeps what it must answer ever after.
package struct Filling {
    package private(set) var contents = Contents()
    private let api: ServerAPI
    private var random: SeededRandom

    /// Fills a server that is unsealed and has nothing yet.
    ///
    /// - Parameter namespaces: Whether it gets namespaces. OpenBao 2.6.2 and 2.7.2 end with a nil pointer at their second
    ///   start on integrated storage if a server on `file` made them: on what the stock command migrated as well, since
    ///   they leave the namespaces' old mount tables where they were and then take them for the whole table.
    package static func fill(_ api: ServerAPI, seed: Int, namespaces: Bool = true) throws -> Contents {
        var filling = Filling(api: api, random: SeededRandom(seed))
        try filling.fillPlainSecrets()
        try filling.fillVersionedSecrets(at: "kv2", names: Self.names + Self.namesForVersions)
        try filling.fillTransit()
        try filling.fillCertificates()
        // Entries of two key terms from here on.
        try api.ask("PUT", "sys/rotate")
        try filling.fillPolicies()
        try filling.fillUsers()
        try filling.fillIdentity()
        try filling.fillTokens()
        if namespaces { try filling.fillNamespaces() }
        return filling.contents
    }

    private init(api: ServerAPI, random: SeededRandom) {
        self.api = api
        self.random = random
    }

    /// Names as people give them, and worse.
    static let names =
        [
            "app/db", "_hidden", "team/_underscore/x", "dir_/leaf", "a", "a/b", "a/b/c", "with space/a b",
            " leading", "Upper/Case", "upper/case", "plus+percent%question?hash#tilde~", "quote\"back'tick`",
            "unicode/\u{e9}-NFC", "unicode/e\u{301}-NFD", "\u{65e5}\u{672c}/\u{8a9e}", ".hidden/.x", "k.temp",
        ] + [(1...20).map { "level-\($0)" }.joined(separator: "/")] + (0..<100).map { "many/\($0 / 10)/entry-\($0)" }

    /// Names that the `file` storage does not take in the open; of versioned secrets the names are encrypted.
    private static let namesForVersions = ["dots/..name", "dots/a..b/c"]

    private mutating func secret(_ size: Int? = nil) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        let count = size ?? [8, 32, 120, 1_000][random.below(4)]
        return String((0..<count).map { _ in letters[random.below(letters.count)] })
    }

    private mutating func fillPlainSecrets() throws {
        try api.ask("POST", "sys/mounts/kv1", #"{"type":"kv","options":{"version":"1"}}"#)
        let long = String(repeating: "n", count: 200)
        for name in Self.names + [long] { try write("kv1/", name, secret()) }
        // Above what integrated storage takes unless it is told to.
        try write("kv1/", "large/1500k", secret(1_500_000))
        try contents.addPresent("kv1/?list=true", "data.keys", of: api)
        try contents.addPresent("kv1/many/?list=true", "data.keys", of: api)
    }

    private mutating func write(_ mount: String, _ name: String, _ value: String) throws {
        let path = mount + ServerAPI.encoded(name)
        let body = "{\"password\":\(quoted(value)),\"note\":\(quoted("\u{e4}\u{1f511} \(name)")),\"n\":17}"
        try api.ask("POST", path, body)
        let digest = try JSONValue(parsing: body.utf8).digest()
        contents.add(Expectation(path, field: "data", digest: digest))
    }

    private mutating func fillVersionedSecrets(at mount: String, names: [String]) throws {
        try api.ask("POST", "sys/mounts/\(mount)", #"{"type":"kv","options":{"version":"2"}}"#)
        try eventually("\(mount) takes secrets") { try api.send("GET", "\(mount)/config").status == 200 }
        for (number, name) in names.enumerated() {
            let name = ServerAPI.encoded(name)
            for version in 1...(1 + number % 3) {
                let data = "{\"password\":\(quoted(secret())),\"version\":\"\(version)\"}"
                try api.ask("POST", "\(mount)/data/\(name)", "{\"data\":\(data)}")
                let digest = try JSONValue(parsing: data.utf8).digest()
                let path = "\(mount)/data/\(name)?version=\(version)"
                contents.add(Expectation(path, field: "data.data", digest: digest))
            }
            try contents.addPresent("\(mount)/metadata/\(name)", "data.versions", of: api)
        }
        try api.ask("POST", "\(mount)/metadata/owned", #"{"max_versions":5,"custom_metadata":{"owner":"team a"}}"#)
        try contents.addPresent("\(mount)/metadata/owned", "data.custom_metadata", of: api)
        for action in ["delete", "destroy"] {
            for version in 1...2 {
                try api.ask("POST", "\(mount)/data/\(action)d", "{\"data\":{\"v\":\"\(version)\"}}")
            }
            try api.ask("PUT", "\(mount)/\(action)/\(action)d", #"{"versions":[2]}"#)
            contents.add(Expectation("\(mount)/data/\(action)d?version=2", status: 404))
            try contents.addPresent("\(mount)/data/\(action)d?version=1", "data.data", of: api)
        }
    }

    private mutating func fillTransit() throws {
        try api.ask("POST", "sys/mounts/transit", #"{"type":"transit"}"#)
        try api.ask("POST", "transit/keys/enc")
        // base64 of "still decrypts"
        let plain = "c3RpbGwgZGVjcnlwdHM="
        for _ in 1...2 {
            let path = "transit/encrypt/enc"
            let cipher = try api.text("data.ciphertext", "POST", path, "{\"plaintext\":\"\(plain)\"}")
            contents.add(
                Expectation(
                    "transit/decrypt/enc", method: "POST", body: "{\"ciphertext\":\(quoted(cipher))}",
                    field: "data.plaintext",
                    digest: try JSONValue.string(Array(plain.utf8)).digest()))
            try api.ask("POST", "transit/keys/enc/rotate")
        }
        try contents.addPresent("transit/keys/enc", "data.latest_version", of: api)
    }

    private mutating func fillCertificates() throws {
        try api.ask("POST", "sys/mounts/pki", #"{"type":"pki"}"#)
        let root = #"{"common_name":"root.test","ttl":"720h","key_type":"ec","key_bits":256}"#
        try api.ask("POST", "pki/root/generate/internal", root)
        let role = #"{"allow_any_name":true,"generate_lease":true,"max_ttl":"72h","key_type":"ec","key_bits":256}"#
        try api.ask("POST", "pki/roles/any", role)
        let order = #"{"common_name":"host.test"}"#
        let issued = try api.ask("POST", "pki/issue/any", order)
        guard let lease = issued["lease_id"]?.text,
            let serial = issued["data.serial_number"]?.text
        else {
            throw ServerFailure("a certificate without lease and serial number")
        }
        try contents.addPresent("pki/cert/ca", "data.certificate", of: api)
        try contents.addPresent("pki/cert/\(serial)", "data.certificate", of: api)
        contents.add(Expectation("pki/issue/any", method: "POST", body: order))
        contents.add(Expectation("sys/leases/lookup", method: "PUT", body: "{\"lease_id\":\(quoted(lease))}"))
    }
}

/// Who may do what.
extension Filling {
    private mutating func fillPolicies() throws {
        for number in 0..<10 {
            let policy = "path \"kv1/app/\(number)/*\" {\n  capabilities = [\"read\", \"list\"]\n}\n"
            try api.ask("PUT", "sys/policies/acl/policy-\(number)", "{\"policy\":\(quoted(policy))}")
            try contents.addPresent("sys/policies/acl/policy-\(number)", "data.policy", of: api)
        }
    }

    private mutating func fillUsers() throws {
        try api.ask("POST", "sys/auth/userpass", #"{"type":"userpass"}"#)
        for number in 0..<5 {
            let password = quoted(secret(20))
            let path = "auth/userpass/users/user-\(number)"
            try api.ask("POST", path, "{\"password\":\(password),\"token_policies\":[\"policy-\(number)\"]}")
            let login = "auth/userpass/login/user-\(number)"
            contents.add(Expectation(login, method: "POST", body: "{\"password\":\(password)}"))
            contents.add(Expectation(login, method: "POST", body: #"{"password":"wrong"}"#, status: 400))
        }
        try api.ask("POST", "sys/auth/approle", #"{"type":"approle"}"#)
        try api.ask("POST", "auth/approle/role/app", #"{"token_policies":["policy-1"]}"#)
        let role = try api.text("data.role_id", "GET", "auth/approle/role/app/role-id")
        let secret = try api.text("data.secret_id", "POST", "auth/approle/role/app/secret-id")
        let login = "{\"role_id\":\(quoted(role)),\"secret_id\":\(quoted(secret))}"
        contents.add(Expectation("auth/approle/login", method: "POST", body: login))
    }

    private mutating func fillIdentity() throws {
        let entity = #"{"name":"entity","policies":["policy-2"],"metadata":{"team":"a"}}"#
        let id = try api.text("data.id", "POST", "identity/entity", entity)
        let accessor = try api.text("data.userpass/.accessor", "GET", "sys/auth")
        try api.ask(
            "POST", "identity/entity-alias",
            "{\"name\":\"user-0\",\"canonical_id\":\(quoted(id)),\"mount_accessor\":\(quoted(accessor))}")
        try api.ask("POST", "identity/group", "{\"name\":\"group\",\"member_entity_ids\":[\(quoted(id))]}")
        for field in ["data.id", "data.metadata", "data.policies", "data.group_ids"] {
            try contents.addPresent("identity/entity/name/entity", field, of: api)
        }
        try contents.addPresent("identity/group/name/group", "data.member_entity_ids", of: api)
    }

    private mutating func fillTokens() throws {
        let order = #"{"policies":["policy-3"],"ttl":"24h","meta":{"for":"a test"}}"#
        let token = try api.text("auth.client_token", "POST", "auth/token/create", order)
        let own = ServerAPI(url: api.url, token: token)
        for field in ["data.policies", "data.meta", "data.accessor", "data.expire_time"] {
            guard let value = try own.ask("GET", "auth/token/lookup-self")[field] else {
                throw ServerFailure("a token without \(field)")
            }
            contents.add(
                Expectation("auth/token/lookup-self", token: token, field: field, digest: try value.digest()))
        }
        try own.ask("POST", "cubbyhole/mine", #"{"only":"mine"}"#)
        let kept = try JSONValue(parsing: #"{"only":"mine"}"#.utf8).digest()
        contents.add(Expectation("cubbyhole/mine", token: token, field: "data", digest: kept))
        contents.add(Expectation("cubbyhole/mine", status: 404))
    }

    private mutating func fillNamespaces() throws {
        try api.ask("POST", "sys/namespaces/team")
        try api.ask("POST", "team/sys/namespaces/sub")
        for namespace in ["team", "team/sub"] {
            try fillNamespace(namespace)
        }
        try contents.addPresent("sys/namespaces/team", "data.id", of: api)
    }

    /// A namespace has mounts and logins of its own.
    private mutating func fillNamespace(_ namespace: String) throws {
        try api.ask("POST", "\(namespace)/sys/mounts/kv", #"{"type":"kv","options":{"version":"1"}}"#)
        for name in ["x", "_y/z"] { try write("\(namespace)/kv/", name, secret()) }
        try api.ask("POST", "\(namespace)/sys/auth/userpass", #"{"type":"userpass"}"#)
        try api.ask("POST", "\(namespace)/auth/userpass/users/here", #"{"password":"only here"}"#)
        contents.add(
            Expectation("\(namespace)/auth/userpass/login/here", method: "POST", body: #"{"password":"only here"}"#))
    }
}
