# A restore drill that ends in a server's answer: sealift drill -config drill.hcl -shares-fd 3 3< shares.txt
# The source is any that a migration reads; it is only read.
storage_source "raft_snapshot" {
  path = "/opt/vault/backup.snap"
}

drill {
  # The drills' own folder: the copy while a drill lasts, and the reports.
  folder = "/var/lib/sealift/drills"

  # Point out a drill that took more than 1.5 times as long as the last good one, or restored less than 90 % of it.
  slower  = 1.5
  smaller = 0.9
}

# Started on the copy, in a network of its own, and stopped. Leases and audit devices are left out of the copy.
server {
  binary = "/usr/bin/bao"

  # What it must serve for the drill to pass.
  read = ["kv1/app/db"]
}
