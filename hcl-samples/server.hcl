# A server's own configuration: checksum, inspect and check -structure read its storage stanza.

storage "raft" {
  path    = "/opt/vault/raft"
  node_id = "node1"

  retry_join {
    leader_api_addr = "https://10.0.0.12:8200"
  }
}

cluster_addr = "https://10.0.0.11:8201"
api_addr     = "https://10.0.0.11:8200"
