"""Prints the keyed manifest of a `file` store. usage: keyed_manifest.py FOLDER SECRET_FILE"""
import base64
import hashlib
import hmac
import json
import os
import sys

folder, secret_file = map(os.fsencode, sys.argv[1:])
with open(secret_file, "rb") as file:
    secret = file.read()
if secret.endswith(b"\n"):
    secret = secret[:-1]


def code(message):
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


lines, size = [], 0
for place, _, names in os.walk(folder):
    for name in names:
        with open(os.path.join(place, name), "rb") as file:
            value = base64.b64decode(json.load(file)["Value"])
        # Files are the leaf's name behind an underscore.
        key = os.path.relpath(os.path.join(place, name[1:]), folder)
        size += len(key) + len(value)
        digest = hashlib.sha256(value).hexdigest().encode()
        lines.append((code(b"name:" + key), code(b"value:" + digest + b":" + key)))
text = "".join(f"{value}  {name}\n" for name, value in sorted(lines))
print(f"""# sealift keyed manifest 1
# value: HMAC-SHA-256 of "value:<SHA-256 of the value, hexadecimal>:<key>"
# name: HMAC-SHA-256 of "name:<key>"
# key check: {code(b"check:sealift keyed manifest 1")}
# source: file
{text}# entries: {len(lines)}
# bytes: {size}
# keyspace digest: {hashlib.sha256(text.encode()).hexdigest()}""")
