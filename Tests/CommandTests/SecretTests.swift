import Foundation
import TestSupport
import Testing

/// No secret of a configuration file reaches an output, whatever is wrong with the file.
@Suite struct SecretTests {
    /// Two shapes of keys: one that no name can have, and one that could be a word.
    private static let canaries = ["Canary/S3cr3t+Key9=", "hvsCanary7S3cretKey9"]

    private static let rest = "\nstorage_destination \"file\" { path = \"/nowhere/b\" }\n"

    /// Bodies of a source block and whole files; CANARY stands for the secret.
    private static let bodies = [
        "secret_kye = \"CANARY\"", "secret_key = CANARY", "secret_key CANARY", "secret_key \"CANARY\"",
        "secret_key = \"CANARY", "secret_key = \"CANARY\\q\"", "secret_key = \"\\qCANARY\"",
        "secret_key = \"a\"\n secret_key = \"CANARY\"", "secret_key = \"CANARY\" secret_key = \"CANARY\" region = us",
        "access_key = \"CANARY\" secret_key = \"CANARY\" ; region = \"x\"", "secret_key: CANARY",
        "secret_key: \"CANARY\" }",
        "secret_key = 'CANARY'", "secret_key = ‘CANARY’", "secret_key = “CANARY”", "secret_key = \"CAN\"CANARY\"",
        "secret_key = \"ab\"CANARY\"", "secret_key = \"ab\" CANARY = ", "secret_key = 12\"CANARY\"",
        "secret_key = true CANARY:", "secret_key = [\"ab\"CANARY\"]", "secret_key = [1] CANARY {",
        "secret_key = 3 CANARY", "secret_key = \"abc\nCANARY\"", "secret_key = \"abc\n CANARY\" }",
        "secret_kye = <<EOF\nCANARY\nEOF\n", "secret_key = <<EOF\nCANARY\n", "secret_key = <<CANARY!\nCANARY\n",
        "secret_key = <<EOF\n  CANARY\nEOF\n ;",
        "secret_key = <<-EOF\nEOF\n  a = \"CANARY\"\n  b: \"CANARY\" ;\n", "secret_key = \"a\\\nCANARY = \"",
        "secret_kye = [\"CANARY\"]", "secret_key = [ CANARY ]",
        "secret_key = [\"CANARY\" \"CANARY\"]", "secret_kye { a = \"CANARY\" }", "secret_key = { CANARY }",
        "secret_key = 3 secret_key = \"CANARY\"", "secret_key = [1] secret_key = \"CANARY\"",
        "disable_clustering = \"CANARY\"", "dynamodb_max_retries = \"CANARY\"", "create_table = \"CANARY\"",
        "consistent_read = \"CANARY\"", "max_parallel = \"CANARY\"", "read_capacity = \"CANARY\"",
        "max_rcu = \"CANARY\"",
        "endpoint = \"https://user:CANARY@localhost:1\"", "endpoint = \"https://localhost:1/?key=CANARY\"",
        "endpoint = https://user:CANARY@localhost:1", "\"CANARY\" = \"secret_key\"", "CANARY = \"x\"", "CANARY",
        "\"CANARY\"", "# secret_key = CANARY\n ;", "/* CANARY */ ;", "x = 1 // CANARY\n ;", "; CANARY", "= CANARY",
        "secret_key =\n CANARY\n", "secret_key = \"${CANARY\"\n CANARY", "secret_key = 0x CANARY",
        "secret_key = 1CANARY",
        "secret_key = -CANARY", "- CANARY", "secret_key = |\n CANARY", "{ CANARY", "a { secret_key = \"CANARY\" ",
        "path = \"${CANARY}\" region = \"${CANARY}\"", "secret_key = \"CANARY\" // no such thing\n tabel = \"CANARY\"",
    ]
    private static let files = [
        "storage_source \"CANARY\" { }" + rest, "storage_source CANARY { }" + rest,
        "storage_source \"dynamodb\" \"CANARY\" { tabel = 1 }" + rest, "storage_source = \"CANARY\"" + rest,
        "storage_source \"CANARY\" { disable_clustering = 7 }" + rest, "storage_source { CANARY = 1 }" + rest,
        "storage_source \"postgresql\" { connection_url = \"postgres://u:CANARY@h/db\" }" + rest,
        "storage_source \"dynamodb\" CANARY = \"x\"" + rest, "CANARY" + rest, "CANARY {}", "CANARY \"CANARY\"",
        "storage_source:\n  dynamodb:\n    secret_key: CANARY\n", "secret_key=CANARY\n", "\u{feff}CANARY = CANARY",
        "storage_source \"file\" { path = \"/nowhere/a\" }\nstorage_destination \"raft\" { path = \"/nowhere/b\" }\n"
            + "cluster_addr = \"https://u:CANARY@10.0.0.11:x\"",
        "storage_source \"file\" { path = \"/nowhere/a\" }\nstorage_destination \"raft\" { path = \"/nowhere/b\" }\n"
            + "cluster_addr = [\"CANARY\"]",
        "storage_source \"file\" { path = \"/nowhere/a\" }\nstorage_destination \"raft\" { path = \"/nowhere/b\" }\n"
            + "cluster_addr = \"CANARY\" cluster_addr = \"CANARY\"",
        #"{"storage_source":{"CANARY":{}},"storage_destination":{"file":{"path":"/b"}}}"#,
        #"{"storage_source":"CANARY","storage_destination":{"file":{"path":"/b"}}}"#,
        #"{"storage_source":{"dynamodb":[{"secret_key":"CANARY"}]},"storage_destination":{"file":{"path":"/b"}}}"#,
        #"{"CANARY"}"#, #"{"CANARY":"#, #"{CANARY:1}"#, #"{"a":CANARY}"#, #"["CANARY"]"#, #"{"cluster_addr":"CANARY","#,
        #"{"cluster_addr":"CANARY","cluster_addr":"CANARY","storage_source":{"file":{"path":"/a"}},"#
            + #""storage_destination":{"file":{"path":"/b"}}}"#,
    ]
    /// Members of a source's object in JSON.
    private static let members = [
        #""secret_kye":"CANARY""#, #""secret_key":"CANARY"#, #""secret_key":"CANARY\q""#,
        #""secret_key":"CANARY" "x":1"#,
        #""secret_key" "CANARY""#, #""secret_key":CANARY"#, #""secret_key":'CANARY'"#, #"secret_key:"CANARY""#,
        #""secret_key":"a","secret_key":"CANARY""#, #""secret_kye":["CANARY"]"#, #""secret_kye":{"a":"CANARY"}"#,
        #""secret_key":["CANARY",null]"#, #""CANARY":"x""#, #""CANARY""#, #""secret_key":"CAN"CANARY""#,
        #""secret_key":"ab"CANARY""#, #""secret_key":"ab" "CANARY":1"#, #""secret_key":12"CANARY":"#,
        #""secret_key":"CANARY", // CANARY"#, #""secret_key":"CANARY",,"#, #""secret_key":3,"secret_key":"CANARY""#,
        #""disable_clustering":"CANARY""#, #""endpoint":"https://u:CANARY@localhost:1""#, #""max_rcu":"CANARY""#,
        "\"secret_key\":\"CANARY\n\"", #""secret_key":<<EOF CANARY"#, #""secret_key":01CANARY"#,
        #""secret_key":"CANARY"]"#,
    ]

    private static let cases: [String] =
        bodies.map { "storage_source \"dynamodb\" {\n \($0)\n}\n" + rest }
        + bodies.map { "storage_source \"dynamodb\" { access_key = \"CANARY\" \($0) }" + rest }
        + files
        + members.map {
            #"{"storage_source":{"dynamodb":{"access_key":"CANARY",\#($0)}},"storage_destination":"#
                + #"{"file":{"path":"/nowhere/b"}}}"#
        }
        + members.map {
            "{\n\"storage_source\": {\"dynamodb\": {\n  \($0)\n}},\n\"storage_destination\": {\"file\": {}}}"
        }

    private static let commands: [[String]] = [
        ["operator", "migrate"], ["operator", "migrate", "-dry-run", "-format=json", "-log-level=trace"], ["plan"],
        ["check", "-format=json"], ["checksum"], ["prove", "-side=source"], ["checksum", "-side=source"],
        ["inspect", "ls", "-side=source"],
    ]

    /// A word that nothing tells from a name: the rest of a value that was broken over lines, or one without its quotes.
    @Test(arguments: [
        "secret_key = \"ok\"\nCANARY", "CANARY", "secret_key = \"ok\"\n  CANARY\n}", "region = \"x\" CANARY",
    ])
    func aWordThatStandsAloneIsNotShown(_ body: String) throws {
        let sandbox = try Sandbox()
        let text = "storage_source \"dynamodb\" {\n\(body)\n}\n" + Self.rest
        let file = try sandbox.write("c.hcl", text.replacing("CANARY", with: "opensesame"))
        for command in Self.commands {
            let outcome = try sandbox.sealift(command + ["-config", file])
            #expect(outcome.code > 0)
            #expect(!(outcome.output + outcome.errors).contains("opensesame"), "\(command): \(outcome.errors)")
        }
    }

    @Test(arguments: canaries)
    func noOutputShowsASecret(_ canary: String) throws {
        let sandbox = try Sandbox()
        // Every day, one of the two shapes for half of the cases.
        let turn = Self.canaries.firstIndex(of: canary) ?? 0
        for (number, text) in Self.cases.enumerated() where number % Effort.stride(4) == turn % Effort.stride(4) {
            let file = try sandbox.write("\(number).hcl", text.replacing("CANARY", with: canary))
            // A server's stanza is read by other commands than a migration's.
            let server = try sandbox.write(
                "server-\(number).hcl",
                text.replacing("CANARY", with: canary).replacing("storage_source", with: "storage", maxReplacements: 1))
            for command in Self.commands where number % 4 == 0 || command.count < 3 {
                var variables = ["AWS_EC2_METADATA_DISABLED": "true"]
                if !text.contains("endpoint") { variables["AWS_DYNAMODB_ENDPOINT"] = "http://127.0.0.1:1" }
                let outcome = try sandbox.sealift(
                    command + ["-config", command == ["checksum"] ? server : file], adding: variables)
                #expect(outcome.code > 0, "\(command) took \(text): \(outcome.output)")
                let all = (outcome.output + outcome.errors).lowercased()
                #expect(!all.contains("canary"), "\(command) \(text):\n\(outcome.errors)")
            }
        }
    }
}
