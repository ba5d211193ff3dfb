services:
  vault:
    image: hashicorp/vault
