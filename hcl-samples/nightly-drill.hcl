# A restore drill without a server, and so without key shares, as a timer runs it: see sealift-drill.timer.
storage_source "raft_snapshot" {
  path = "/opt/vault/backup.snap"
}

drill {
  folder = "/var/lib/sealift/drills"
}
