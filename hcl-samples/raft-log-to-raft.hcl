# From what a crashed node left, or a copy of its files that were taken one after the other: the log holds writes that
# vault.db lacks. They are read with it, as the node's next start would apply them.

storage_source "raft" {
  path      = "/opt/vault/raft"
  apply_log = "all"
}

storage_destination "raft" {
  path    = "/opt/vault/new-raft"
  node_id = "node-a"
}

cluster_addr = "https://vault-a.example.com:8201"
