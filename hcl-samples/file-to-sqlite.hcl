# Into one SQLite file, to look at with sqlite3 or to keep for a drill.

storage_source "file" {
  path = "/opt/vault/data"
}

storage_destination "sqlite" {
  path  = "/opt/vault/store.sqlite"
  table = "vault_kv_store"
}
