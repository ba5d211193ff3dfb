storage_source "dynamodb" {
  access_key = "AKIAIOSFODNN7EXAMPLE"
  secret_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
}

storage_destination "raft" {
  path    = "/opt/vault/raft"
  node_id = "node1"
}

cluster_addr = "https://10.0.0.11:8201"
