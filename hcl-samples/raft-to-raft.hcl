# The same data for a cluster with other nodes: id and address of the new first node.

storage_source "raft" {
  path = "/opt/vault/raft"
}

storage_destination "raft" {
  path    = "/opt/vault/new-raft"
  node_id = "node-a"
}

cluster_addr = "https://vault-a.example.com:8201"
