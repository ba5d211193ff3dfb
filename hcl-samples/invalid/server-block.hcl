storage "file" {
  path = "/opt/vault/data"
}

storage_destination "file" {
  path = "/opt/vault/files"
}
