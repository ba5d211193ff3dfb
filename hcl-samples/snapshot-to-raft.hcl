# From a snapshot (operator raft snapshot save) to a directory of integrated storage, without a server.
storage_source "raft_snapshot" {
  path = "/opt/vault/backup.snap"
}

storage_destination "raft" {
  path    = "/opt/vault/restored"
  node_id = "node1"
}

cluster_addr = "https://10.0.0.11:8201"
