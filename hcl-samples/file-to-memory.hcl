# Reads everything and keeps nothing: a timing of the source.

storage_source "file" {
  path = "/opt/vault/data"
}

storage_destination "inmem" {}
