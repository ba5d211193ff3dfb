# From DynamoDB to integrated storage. Credentials come from the environment, a profile, a web identity or the instance,
# as Vault's own backend finds them.
storage_source "dynamodb" {
  table  = "vault-data"
  region = "eu-central-1"

  # Leave half of a provisioned table's read capacity to others.
  max_read_share = 0.5
}

storage_destination "raft" {
  path    = "/opt/vault/raft"
  node_id = "node1"
}

cluster_addr = "https://10.0.0.11:8201"
