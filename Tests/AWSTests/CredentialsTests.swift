import AWS
import Foundation
import HTTPClient
import Synchronization
import TestSupport
import Testing

@Suite struct CredentialsTests {
    private let server: PythonServer

    init() throws { server = try PythonServer.odd.get() }

    /// Neither the machine's own settings nor a metadata service.
    private let nowhere = ["AWS_EC2_METADATA_DISABLED": "true"]

    private func chain(
        _ environment: [String: String], fixed: CredentialsChain.Fixed = CredentialsChain.Fixed(),
        time: TimeSource? = nil
    ) -> CredentialsChain {
        var impatient = TimeSource.system
        impatient.wait = { _, _ in }
        return CredentialsChain(
            fixed: fixed, region: "eu-west-1", environment: nowhere.merging(environment) { $1 }, time: time ?? impatient
        )
    }

    private func failure(_ environment: [String: String]) -> String {
        do throws(CredentialsError) {
            return "found \(try chain(environment).credentials())"
        } catch {
            return error.description
        }
    }

    /// Files `credentials` and `config` in a home folder.
    private func withHome<Result>(
        credentials: String = "", config: String = "", _ body: (String) throws -> Result
    ) throws -> Result {
        try Scratch.withFolder { home in
            try FileManager.default.createDirectory(atPath: "\(home)/.aws", withIntermediateDirectories: true)
            try Scratch.write(credentials.utf8, to: "\(home)/.aws/credentials")
            try Scratch.write(config.utf8, to: "\(home)/.aws/config")
            try Scratch.write("web token\n".utf8, to: "\(home)/token")
            return try body(home)
        }
    }

    @Test func neverShowsSecrets() throws {
        let keys = Credentials(
            accessKeyID: "AKIDHIDDEN", secretAccessKey: "secret/hidden", sessionToken: "token/hidden", source: "here")
        var texts = ["\(keys)", String(describing: keys), String(reflecting: keys), "\([keys])", "\(["a": keys])"]
        var dumped = ""
        dump([keys], to: &dumped)
        dump(Optional(keys), to: &dumped)
        texts.append(dumped)
        let provider = FixedCredentials(keys)
        dump(provider, to: &dumped)
        texts += ["\(provider)", String(reflecting: provider), dumped]
        for text in texts {
            #expect(!text.contains("hidden") && !text.contains("HIDDEN"))
            #expect(text.contains("here"))
        }
        let chain = chain([:], fixed: CredentialsChain.Fixed(accessKey: "HIDDEN", secretKey: "hidden"))
        _ = try chain.credentials()
        var dumpedChain = ""
        dump(chain, to: &dumpedChain)
        let signature = try SignatureV4()
        var request = SignableRequest(method: "GET", path: "/", headers: [])
        try [UInt8]().withUnsafeBytes {
            try signature.sign(
                &request, body: $0, credentials: keys, at: Timestamp(seconds: 0), region: "r", service: "s")
        }
        dump(signature, to: &dumpedChain)
        #expect(!dumpedChain.contains("hidden") && !dumpedChain.contains("HIDDEN"))
    }

    @Test func looksInTheStockOrder() throws {
        let files = "[default]\naws_access_key_id = FILE\naws_secret_access_key = x\n"
        try withHome(credentials: files) { home in
            var environment = ["HOME": home]
            #expect(try chain(environment).credentials().accessKeyID == "FILE")
            #expect(try chain(environment).credentials().source == "profile \"default\" in ~/.aws/credentials")
            environment["AWS_ACCESS_KEY"] = "ENV2"
            #expect(try chain(environment).credentials().accessKeyID == "FILE")
            environment["AWS_SECRET_KEY"] = "y"
            #expect(try chain(environment).credentials().accessKeyID == "ENV2")
            environment["AWS_ACCESS_KEY_ID"] = "ENV1"
            environment["AWS_SECRET_ACCESS_KEY"] = "z"
            environment["AWS_SESSION_TOKEN"] = "t"
            let keys = try chain(environment).credentials()
            #expect(
                [keys.accessKeyID, keys.secretAccessKey, keys.sessionToken, keys.source] == [
                    "ENV1", "z", "t", "environment",
                ])
            let fixed = CredentialsChain.Fixed(accessKey: "FIXED", secretKey: "w", sessionToken: "")
            let first = try chain(environment, fixed: fixed).credentials()
            #expect([first.accessKeyID, first.secretAccessKey, first.sessionToken] == ["FIXED", "w", nil])
        }
        for fixed in [CredentialsChain.Fixed(accessKey: "a"), CredentialsChain.Fixed(secretKey: "b")] {
            let error = #expect(throws: CredentialsError.self) { try chain([:], fixed: fixed).credentials() }
            let text =
                "static AWS client credentials haven't been properly configured (the access key or secret key were "
            #expect(error?.description == text + "provided but not both)")
        }
    }

    @Test func namesEveryPlaceWhenThereIsNothing() {
        let text = failure([:])
        for part in [
            "No AWS credentials were found", "access_key and secret_key", "AWS_ACCESS_KEY_ID", "profile \"default\"",
            "AWS_WEB_IDENTITY_TOKEN_FILE", "container credentials", "AWS_EC2_METADATA_DISABLED", "export",
            "AWS_PROFILE",
        ] { #expect(text.contains(part)) }
        #expect(failure(["AWS_PROFILE": "gone"]).contains("profile \"gone\" (there is no such profile"))
    }

    private let profiles = """
        # the base
        [base]
        aws_access_key_id=BASE   ; with a remark
        aws_secret_access_key = base#secret
          indented = line
        [half]
        aws_access_key_id = HALF
        [both]
        aws_access_key_id = NEAR
        aws_secret_access_key = near
        not a setting
        [unclosed
        aws_access_key_id = LOST
        """

    private let configuration = """
        [default]
        region = eu-west-1
        [profile both]
        aws_access_key_id = FAR
        aws_secret_access_key = far
        [profile "with space"]
        aws_access_key_id = SPACE
        aws_secret_access_key = space
        [profile role]
        role_arn = arn:aws:iam::1:role/one
        source_profile = base
        role_session_name = session
        external_id = out/side
        [profile twice]
        role_arn = arn:aws:iam::1:role/two
        source_profile = role
        [profile self]
        role_arn = arn:aws:iam::1:role/self
        source_profile = self
        aws_access_key_id = SELF
        aws_secret_access_key = self
        [profile loop]
        role_arn = arn:aws:iam::1:role/loop
        source_profile = loop2
        [profile loop2]
        role_arn = arn:aws:iam::1:role/loop
        source_profile = loop
        [profile mfa]
        role_arn = arn:aws:iam::1:role/mfa
        source_profile = base
        mfa_serial = arn:aws:iam::1:mfa/me
        [profile lonely]
        role_arn = arn:aws:iam::1:role/lonely
        [profile badsource]
        role_arn = arn:aws:iam::1:role/x
        source_profile = nobody
        [profile odd]
        role_arn = arn:aws:iam::1:role/x
        credential_source = Somewhere
        [profile fromenv]
        role_arn = arn:aws:iam::1:role/env
        credential_source = Environment
        [profile fromimds]
        role_arn = arn:aws:iam::1:role/imds
        credential_source = Ec2InstanceMetadata
        [profile sso]
        sso_session = corp
        sso_account_id = 1
        [profile process]
        credential_process = /bin/echo secret
        [sso-session corp]
        sso_start_url = https://example
        """

    @Test func readsProfiles() throws {
        try withHome(credentials: profiles, config: configuration) { home in
            func found(_ profile: String) throws -> [String] {
                let environment = [
                    "HOME": home, "AWS_PROFILE": profile, "AWS_ENDPOINT_URL_STS": "\(server.url)/sts/p/3600/",
                ]
                let keys = try chain(environment).credentials()
                return [keys.accessKeyID, keys.secretAccessKey, keys.source]
            }
            #expect(try found("base") == ["BASE", "base#secret", "profile \"base\" in ~/.aws/credentials"])
            #expect(try found("both") == ["NEAR", "near", "profile \"both\" in ~/.aws/config and ~/.aws/credentials"])
            #expect(try found("with space")[0] == "SPACE")
            let role = try found("role")
            #expect(role[0].hasPrefix("AKIDp") && role[1].hasPrefix("secret/p"))
            #expect(
                role[2] == "role arn:aws:iam::1:role/one assumed with profile \"base\" in ~/.aws/credentials")
            #expect(
                try found("twice")[2].hasPrefix(
                    "role arn:aws:iam::1:role/two assumed with role arn:aws:iam::1:role/one"))
            #expect(try found("self")[2].contains("assumed with profile \"self\" in ~/.aws/config"))
        }
    }

    @Test(arguments: [
        ("half", "only one of"), ("loop", "leads back to itself"), ("mfa", "second factor"),
        ("lonely", "no source_profile or credential_source"), ("badsource", "source_profile nobody, which has no keys"),
        ("odd", "unknown credential_source Somewhere"), ("fromenv", "keys of the environment, and there are none"),
        ("fromimds", "instance metadata"), ("sso", "aws configure export-credentials --profile sso"),
        ("process", "credential_process"), ("unclosed", "no such profile"), ("corp", "no such profile"),
    ])
    func refusesProfiles(name: String, reason: String) throws {
        try withHome(credentials: profiles, config: configuration) { home in
            var environment = ["HOME": home, "AWS_PROFILE": name, "AWS_ENDPOINT_URL_STS": "\(server.url)/sts/p/3600/"]
            environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1"
            #expect(failure(environment).contains(reason))
        }
    }

    @Test func sendsWhatTheTokenServiceNeeds() throws {
        try withHome(credentials: profiles, config: configuration) { home in
            let path = "/sts/sent/3600/"
            let environment = ["HOME": home, "AWS_ENDPOINT_URL": server.url + path]
            _ = try chain(environment.merging(["AWS_PROFILE": "role"]) { $1 }).credentials()
            let web = try chain(
                environment.merging([
                    "AWS_ROLE_ARN": "arn:role", "AWS_WEB_IDENTITY_TOKEN_FILE": "\(home)/token",
                    "AWS_ROLE_SESSION_NAME": "me & you",
                ]) { $1 }
            ).credentials()
            #expect(web.source == "web identity role arn:role with the token in \(home)/token")
            #expect(web.sessionToken?.hasPrefix("token/sentWithWebIdentity") == true)
            let log = try log(path)
            try #require(log.count == 2)
            #expect(
                log[0].body == "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fone"
                    + "&RoleSessionName=session&ExternalId=out%2Fside")
            #expect(log[0].header("Authorization")?.contains("Credential=BASE/") == true)
            #expect(log[0].header("Authorization")?.contains("/eu-west-1/sts/aws4_request") == true)
            #expect(
                log[1].body == "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Arole"
                    + "&RoleSessionName=me%20%26%20you&WebIdentityToken=web%20token")
            #expect(log[1].header("Authorization") == nil)
        }
        let denied = failure([
            "AWS_ROLE_ARN": "arn:role", "AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/null",
            "AWS_ENDPOINT_URL_STS": "\(server.url)/sts/denied/0/",
        ])
        #expect(denied.contains("AccessDenied: not & never"))
        #expect(
            failure(["AWS_ROLE_ARN": "arn:role", "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"])
                .contains("/nowhere/token cannot be read: there is no such file"))
        #expect(
            failure(["AWS_ROLE_ARN": "a", "AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/zero"]).contains("larger than"))
    }

    private struct Logged: Decodable {
        var method, body: String
        var headers: [[String]]

        func header(_ name: String) -> String? { headers.first { $0[0] == name }?[1] }
    }

    private func log(_ path: String) throws -> [Logged] {
        let reply = try HTTPClient().perform(HTTPRequest(method: "GET", url: "\(server.url)/log\(path)"))
        return try JSONDecoder().decode([Logged].self, from: Data(reply.withBody { Array($0) }))
    }

    @Test func asksContainersOnlyNearby() throws {
        let url = "\(server.url)/container/box/3600/"
        let plain = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url]
        #expect(try chain(plain).credentials().accessKeyID.hasPrefix("AKIDbox"))
        var withToken = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url + "secret-token"]
        #expect(failure(withToken).contains("HTTP status 403"))
        #expect(!failure(withToken).contains("refused"))
        withToken["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "secret-token"
        #expect(try chain(withToken).credentials().source.hasPrefix("container credentials at http://127.0.0.1"))
        try withHome { home in
            try Scratch.write("secret-token\n".utf8, to: "\(home)/token")
            withToken["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "\(home)/token"
            withToken["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "another"
            #expect(try chain(withToken).credentials().accessKeyID.hasPrefix("AKIDbox"))
        }
        for url in [
            "http://example.com/", "http://169.254.169.254/", "http://127.0.0.1.example.com/", "http://127.1/",
            "http://[::2]/", "http://localhost.example/x",
        ] {
            #expect(failure(["AWS_CONTAINER_CREDENTIALS_FULL_URI": url]).contains("neither this machine"))
        }
        for url in ["nonsense", "ftp://127.0.0.1/", "http://a b/", "http://user@127.0.0.1/"] {
            #expect(failure(["AWS_CONTAINER_CREDENTIALS_FULL_URI": url]).contains("is no URL"))
        }
    }

    @Test func asksTheInstanceMetadata() throws {
        func environment(_ name: String) -> [String: String] {
            [
                "AWS_EC2_METADATA_DISABLED": "false",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": "\(server.url)/imds/\(name)/3600",
            ]
        }
        let keys = try chain(environment("vm")).credentials()
        #expect(keys.source == "instance metadata role role-of-vm")
        #expect(keys.accessKeyID.hasPrefix("AKIDvm") && keys.sessionToken?.hasPrefix("token/vm") == true)
        #expect(failure(environment("norole")).contains("knows no role"))
        var gone = environment("vm")
        gone["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1"
        #expect(failure(gone).contains("instance metadata (There is no answer"))
        for body in ["noise-3", "garbage-3", "bytes-100", "status-200", "bytes-100000", "hugeheaders-200"] {
            gone["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "\(server.url)/\(body)"
            #expect(failure(gone).contains("No AWS credentials were found"))
            let container = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(server.url)/\(body)"]
            #expect(!failure(container).hasPrefix("found"))
            let role = ["AWS_ROLE_ARN": "a", "AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/null"]
            #expect(!failure(role.merging(["AWS_ENDPOINT_URL": "\(server.url)/\(body)"]) { $1 }).hasPrefix("found"))
        }
    }

    @Test func renewsInTime() throws {
        let ahead = Mutex(0)
        var time = TimeSource.system
        time.now = { Timestamp(seconds: TimeSource.system.now().seconds + ahead.withLock { $0 }) }
        time.wait = { _, _ in }
        let own = try PythonServer("odd_server.py")
        let environment = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(own.url)/container/renewed/1000/"]
        let chain = chain(environment, time: time)
        func next() throws -> String { try chain.credentials().accessKeyID }
        #expect(try next() == "AKIDrenewed1")
        ahead.withLock { $0 = 650 }
        #expect(try next() == "AKIDrenewed1")
        ahead.withLock { $0 = 750 }
        // The server's keys end at its own time: these end soon as well, so that each call renews.
        #expect(try next() == "AKIDrenewed2")
        #expect(try next() == "AKIDrenewed3")
        // Single flight: those who come while keys are fetched take what is there.
        let seen = Mutex<Set<String>>([])
        let threads = 8
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            let id = (try? chain.credentials().accessKeyID) ?? "none"
            seen.withLock { _ = $0.insert(id) }
        }
        #expect(!seen.withLock { $0.contains("none") })
        let rejected = try chain.credentials()
        let fresh = try chain.credentials(replacing: rejected)
        #expect(fresh.accessKeyID != rejected.accessKeyID)
        #expect(try chain.credentials(replacing: rejected).accessKeyID == fresh.accessKeyID)
        // Without the service the old keys are used until they end.
        own.stop()
        #expect(try next() == fresh.accessKeyID)
        #expect(try next() == fresh.accessKeyID)
        ahead.withLock { $0 = 1010 }
        #expect(throws: CredentialsError.self) { try next() }
    }

    @Test func survivesAnySharedFile() throws {
        var random = SeededRandom(fuzz: 8)
        let good = Array((profiles + "\n" + configuration).utf8)
        for _ in 0..<Effort.rounds(200) {
            let bytes = random.mutated(good)
            try withHome { home in
                try Scratch.write(bytes, to: "\(home)/.aws/config")
                for profile in ["base", "mfa", "loop", "self2"] {
                    _ = failure(["HOME": home, "AWS_PROFILE": profile, "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"])
                }
            }
        }
    }
}
