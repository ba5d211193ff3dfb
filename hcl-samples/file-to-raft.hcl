# From a folder of files to integrated storage, for the first node of the new cluster.

storage_source "file" {
  path = "/opt/vault/data"
}

storage_destination "raft" {
  path    = "/opt/vault/raft"
  node_id = "node1"
}

# This node's own address, as the other nodes will dial it.
cluster_addr = "https://10.0.0.11:8201"
