storage_source "file" {
  path = "/opt/vault/data"
  path = "/opt/vault/old-data"
}

storage_destination "file" {
  path = "/opt/vault/files"
}
