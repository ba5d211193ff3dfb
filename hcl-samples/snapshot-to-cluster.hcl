# From a snapshot to all three nodes of a new cluster at once: each directory names all of them, and they form the cluster by
# themselves. The snapshot holds core/raft/tls, as every snapshot of integrated storage does.
storage_source "raft_snapshot" {
  path = "/opt/vault/backup.snap"
}

storage_destination "raft" {
  node {
    id           = "node1"
    cluster_addr = "https://10.0.0.11:8201"
    path         = "/opt/vault/new-node1"
  }

  node {
    id           = "node2"
    cluster_addr = "https://10.0.0.12:8201"
    path         = "/opt/vault/new-node2"
  }

  node {
    id           = "node3"
    cluster_addr = "https://10.0.0.13:8201"
    path         = "/opt/vault/new-node3"
  }
}
