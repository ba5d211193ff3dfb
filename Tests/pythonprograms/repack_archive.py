#!/usr/bin/env python3
"""Packs a snapshot archive again in three ways: with another index and sums that fit it, with the sealed sums of another
archive, and with none.

usage: repack_archive.py ARCHIVE OTHER FOLDER    makes changed.snap, foreign.snap and bare.snap in FOLDER
"""
import hashlib
import io
import re
import sys
import tarfile

own, other, folder = sys.argv[1:]


def members(path):
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def pack(name, files):
    with tarfile.open(f"{folder}/{name}", "w:gz") as tar:
        for key, content in files.items():
            info = tarfile.TarInfo(key)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


files = members(own)
changed = dict(files)
changed["meta.json"] = re.sub(rb'"Index":\d+', b'"Index":9999', files["meta.json"])
assert changed["meta.json"] != files["meta.json"]
changed["SHA256SUMS"] = "".join(
    f"{hashlib.sha256(changed[name]).hexdigest()}  {name}\n" for name in ("meta.json", "state.bin")).encode()
pack("changed.snap", changed)
pack("foreign.snap", {**files, "SHA256SUMS.sealed": members(other)["SHA256SUMS.sealed"]})
pack("bare.snap", {name: content for name, content in files.items() if not name.endswith(".sealed")})
