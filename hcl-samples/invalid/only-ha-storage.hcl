ha_storage "dynamodb" {
  table = "vault-locks"
}
