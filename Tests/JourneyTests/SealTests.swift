import Foundation
import HTTPClient
import OpenBaoTestKit
import TestSupport
import Testing

/// Stores whose servers unseal themselves: nobody gives a share, neither to the first node nor to those that join.
@Suite struct SealTests {
    enum Seal: CaseIterable {
        case keyInFile, transit, awskms
    }

    @Test(arguments: Seal.allCases)
    func aClusterUnsealsItself(_ seal: Seal) async throws {
        try await Journey.run { folder in
            let transit = try seal == .transit ? TransitServer(in: folder) : nil
            let stanza =
                switch seal {
                case .keyInFile: try staticStanza(in: folder)
                case .transit: transit?.stanza ?? ""
                case .awskms: try awsStanza()
                }
            let old = try Node(.lastOnFiles, "old", in: folder, .file, seal: stanza)
            try old.start()
            let keys = try old.initialise(unsealsItself: true)
            try old.unseal(keys)
            let contents = try Filling.fill(old.api, seed: 3, namespaces: false)
            old.kill()

            // The newest has AWS's key service as a plugin only.
            let version: ServerVersion = seal == .awskms ? .lastOnFiles : .newest
            let first = try Node(version, "node1", in: folder, .raft(), seal: stanza)
            try Migration(folder).run(from: .file(old.data), to: first)
            try Cluster.grow(from: first, keys, contents, in: folder, seal: stanza)
            withExtendedLifetime(transit) {}
        }
    }
}

/// The seal with a key in a file.
private func staticStanza(in folder: String) throws -> String {
    var random = SeededRandom(4)
    try Scratch.write(random.bytes(32), to: "\(folder)/unseal.key")
    return """
        seal "static" {
          current_key_id = "practice"
          current_key    = "file://\(folder)/unseal.key"
        }
        """
}

/// The seal with a key that AWS keeps, in the form of moto.
private func awsStanza() throws -> String {
    let moto = try PythonServer.moto.get()
    // moto tells the service from the credential's scope.
    let scope = "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/kms/aws4_request, SignedHeaders=host"
    let headers = [
        ("X-Amz-Target", "TrentService.CreateKey"), ("Content-Type", "application/x-amz-json-1.1"),
        ("Authorization", "\(scope), Signature=none"),
    ]
    let request = HTTPRequest(method: "POST", url: "\(moto.url)/", headers: headers)
    let answer = try Array("{}".utf8).withUnsafeBytes { try HTTPClient().perform(request, body: $0) }
    let key = try answer.withBody { try JSONValue(parsing: $0)["KeyMetadata.KeyId"]?.text }
    try demand(key != nil, "moto makes a key")
    return """
        seal "awskms" {
          region     = "us-east-1"
          access_key = "AKIATEST"
          secret_key = "test"
          kms_key_id = "\(key ?? "")"
          endpoint   = "\(moto.url)"
        }
        """
}

/// A server whose `transit` engine keeps other servers' keys.
private final class TransitServer {
    let stanza: String
    private let node: Node

    init(in folder: String) throws {
        let node = try Node(.newest, "keeper", in: folder, .raft())
        try node.start()
        let keys = try node.initialise()
        try node.unseal(keys)
        try eventually("the keeper is active") { try node.isActive() }
        try node.api.ask("POST", "sys/mounts/transit", #"{"type":"transit"}"#)
        try node.api.ask("POST", "transit/keys/unseal")
        self.node = node
        stanza = """
            seal "transit" {
              address    = "\(node.api.url)"
              token      = "\(keys.rootToken)"
              key_name   = "unseal"
              mount_path = "transit/"
            }
            """
    }
}
