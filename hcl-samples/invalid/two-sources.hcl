storage_source "file" {
  path = "/opt/vault/data"
}

storage_source "sqlite" {
  path = "/opt/vault/store.sqlite"
}

storage_destination "file" {
  path = "/opt/vault/files"
}
