# From the directory of a stopped node (or a copy of it) to a folder of files.

storage_source "raft" {
  path = "/opt/vault/raft"
}

storage_destination "file" {
  path = "/opt/vault/files"
}
