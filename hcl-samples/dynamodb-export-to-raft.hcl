# From a DynamoDB export to S3 that was downloaded: its folder, or one of its data files. No request is made.
storage_source "dynamodb_export" {
  path = "/opt/vault/items.jsonl.gz"
}

storage_destination "raft" {
  path    = "/opt/vault/from-export"
  node_id = "node1"
}

cluster_addr = "https://10.0.0.11:8201"
