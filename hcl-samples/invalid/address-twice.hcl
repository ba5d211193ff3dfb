storage_source "file" {
  path = "/opt/vault/data"
}

storage_destination "raft" {
  path    = "/opt/vault/raft"
  node_id = "node1"
}

cluster_addr = "https://10.0.0.11:8201"
cluster_addr = "https://10.0.0.12:8201"
