# From one table into another, which is made if it is not there.
storage_source "dynamodb" {
  table  = "vault-data"
  region = "eu-central-1"
}

storage_destination "dynamodb" {
  table        = "vault-copy"
  region       = "eu-central-1"
  create_table = "on-demand"
  max_wcu      = 2000
}
