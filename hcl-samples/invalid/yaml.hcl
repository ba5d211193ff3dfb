storage_source:
  file:
    path: /opt/vault/data
