"""Restores snapshots without a server, beside the system's tools and beside a server's own restore: see scripts/benchmark."""
import hashlib
import http.client
import io
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tarfile
import time
import zlib

from measuring import block, remove, timed

sealift, bao, work = sys.argv[1:4]
entries, served, runs = (int(word) for word in sys.argv[4:7])
state = f"{work}/state"
environment = {"PATH": os.environ["PATH"], "HOME": work}
value_bytes = 1024


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def frame(key, value):
    content = b"\x0a" + varint(len(key)) + key + (b"\x12" + varint(len(value)) + value if value else b"")
    return varint(len(content)) + content


def write_archive(path, frames, level):
    """The archive of frames, which are gone through twice: sizes stand before what they count."""
    size, digest = 0, hashlib.sha256()
    for piece in frames():
        size += len(piece)
        digest.update(piece)
    meta = json.dumps({"Version": 1, "ID": "bolt-snapshot", "Index": 1000, "Term": 3, "Peers": None,
                       "Configuration": {"Servers": []}, "ConfigurationIndex": 1, "Size": size}).encode() + b"\n"
    sums = f"{hashlib.sha256(meta).hexdigest()}  meta.json\n{digest.hexdigest()}  state.bin\n".encode()
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    with open(path, "wb") as file:
        def put(content):
            file.write(packer.compress(content))

        def member(name, count):
            info = tarfile.TarInfo(name)
            info.size, info.mode = count, 0o600
            put(info.tobuf(tarfile.USTAR_FORMAT))

        for name, content in (("meta.json", meta), (None, None), ("SHA256SUMS", sums)):
            if name:
                member(name, len(content))
                put(content + b"\0" * (-len(content) % 512))
            else:
                member("state.bin", size)
                for piece in frames():
                    put(piece)
                put(b"\0" * (-size % 512))
        put(b"\0" * 1024)
        file.write(packer.flush())


def junk(count, mount):
    """Entries as a server has them, key term and version in clear, which nothing can decrypt; the same ones each time."""
    chance = random.Random(count)
    for number in range(count):
        value = b"\0\0\0\1\2" + chance.randbytes(value_bytes - 5)
        yield f"logical/{mount}/{number // 100:06d}/{number % 100:02d}".encode(), value


def pieces(pairs):
    piece = bytearray()
    for key, value in pairs:
        piece += frame(key, value)
        if len(piece) > 1 << 20:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def migrate(archive, path):
    config = f"{work}/restore.hcl"
    with open(config, "w") as file:
        file.write(block("source", "raft_snapshot", path=archive) + block("destination", "raft", path=path, node_id="node1"))
        file.write('cluster_addr = "https://127.0.0.1:%d"\n' % cluster_port)
    return [sealift, "operator", "migrate", "-config", config, "-practice", "-log-level=error", "-state-dir", state]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


port, cluster_port = free_port(), free_port()


def beside_tools():
    """Snapshot to a directory, proof included, beside gzip -t, cp and sync, and beside zcat."""
    pairs = lambda: iter([(b"core/keyring", b"1" * 300), (b"core/raft/tls", b"1" * 300), (b"core/seal-config", b"{}")])
    raft, copy = f"{work}/raft", f"{work}/copy.db"
    for name, level in (("stored blocks, as OpenBao writes", 0), ("deflated, as Vault writes", 6)):
        archive = f"{work}/large.snap"
        write_archive(archive, lambda: pieces(pair for part in (pairs(), junk(entries, "m")) for pair in part), level)
        print(f"snapshot -> raft, {entries:,} entries of 1 KiB, {os.path.getsize(archive) >> 20} MiB, {name}", flush=True)
        ours, test, copied, inflated, memory = [], [], [], [], 0
        for run in range(runs + 1):
            seconds, resident = timed(migrate(archive, raft), [raft, state])
            gzip = timed(["gzip", "-t", archive], [])[0]
            cp = timed(["sh", "-c", f"cp {raft}/vault.db {copy} && sync {copy}"], [copy])[0]
            zcat = timed(["sh", "-c", f"zcat {archive} > /dev/null"], [])[0]
            if run:
                ours.append(seconds), test.append(gzip), copied.append(cp), inflated.append(zcat)
                memory = max(memory, resident)
        one = statistics.median(ours)
        two = statistics.median(gzip + cp for gzip, cp in zip(test, copied))
        three = statistics.median(inflated) + 1
        print(f"    sealift, read back and compared       {one:6.2f} s, {memory:.0f} MiB resident")
        print(f"    gzip -t ({statistics.median(test):.2f} s) + cp + sync ({statistics.median(copied):.2f} s)  {two:6.2f} s"
              f"   ratio {one / two:.2f} (budget 1.3)")
        print(f"    zcat + 1 s                            {three:6.2f} s   ratio {one / three:.2f} (budget 1)", flush=True)
        remove(raft, copy, archive, state)


def whole_cluster():
    """Three directories from one pass, beside one directory and two copies of its data."""
    pairs = lambda: iter([(b"core/keyring", b"1" * 300), (b"core/raft/tls", b"1" * 300), (b"core/seal-config", b"{}")])
    archive, raft, state_of_three = f"{work}/cluster.snap", f"{work}/raft", f"{work}/three.state"
    copies, nodes = [f"{work}/copy{number}.db" for number in (1, 2)], [f"{work}/three{number}" for number in (1, 2, 3)]
    write_archive(archive, lambda: pieces(pair for part in (pairs(), junk(entries, "m")) for pair in part), 0)
    print(f"three nodes at once, {entries:,} entries of 1 KiB", flush=True)
    config = f"{work}/three.hcl"
    with open(config, "w") as file:
        file.write(block("source", "raft_snapshot", path=archive) + 'storage_destination "raft" {\n')
        for number, path in enumerate(nodes, 1):
            file.write(f'  node {{\n    id = "node{number}"\n    cluster_addr = "https://127.0.0.{number}:8201"\n')
            file.write(f'    path = "{path}"\n  }}\n')
        file.write("}\n")
    three = [sealift, "operator", "migrate", "-config", config, "-practice", "-log-level=error", "-state-dir", state_of_three]
    ones, threes, sums, memory = [], [], [], 0
    for run in range(runs + 1):
        one = timed(migrate(archive, raft), [raft, state])[0]
        cp = " && ".join(f"cp {raft}/vault.db {path}" for path in copies)
        two = timed(["sh", "-c", f"{cp} && sync {' '.join(copies)}"], copies)[0]
        remove(raft, *copies)
        all_three, resident = timed(three, [*nodes, state_of_three])
        remove(*nodes)
        if run:
            ones.append(one), sums.append(one + two), threes.append(all_three)
            memory = max(memory, resident)
    one, both, ours = (statistics.median(seconds) for seconds in (ones, sums, threes))
    print(f"    three nodes, each read back           {ours:6.2f} s, {memory:.0f} MiB resident")
    print(f"    one node                              {one:6.2f} s   ratio {ours / one:.2f} (budget 1.3 where blocks are shared)")
    print(f"    one node, then two cp and sync        {both:6.2f} s   ratio {ours / both:.2f} (budget 1)", flush=True)
    remove(archive, state_of_three, state, raft, *copies, *nodes)


class Server:
    """OpenBao on a directory of integrated storage."""

    def __init__(self, path):
        os.makedirs(path, exist_ok=True)
        self.config = f"{work}/server.hcl"
        with open(self.config, "w") as file:
            file.write(f"""
storage "raft" {{
  path           = "{path}"
  node_id        = "node1"
  max_entry_size = 4194304
}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable     = true
}}
api_addr     = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
""")
        self.token = ""
        self.log = open(f"{work}/server.log", "w")
        self.process = subprocess.Popen([bao, "server", "-config", self.config], stdout=self.log, stderr=self.log,
                                        env=environment)
        self.wait(lambda: self.ask("GET", "sys/seal-status")[0] == 200)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        connection.request(method, f"/v1/{path}", body and json.dumps(body), {"X-Vault-Token": self.token})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        try:
            return answer.status, json.loads(text or b"{}")
        except ValueError:
            return answer.status, text

    def wait(self, is_so):
        for _ in range(60_000):
            try:
                if is_so():
                    return
            except (OSError, http.client.HTTPException):
                pass
            if self.process.poll() is not None:
                sys.exit("the server ended: " + open(f"{work}/server.log").read()[-2000:])
            time.sleep(0.01)
        sys.exit("the server never got there")

    def initialise(self):
        keys = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})[1]
        self.token = keys["root_token"]
        return keys["keys_base64"][0], keys["root_token"]

    def unseal(self, share):
        self.wait(lambda: self.ask("PUT", "sys/unseal", {"key": share})[0] == 200
                  and self.ask("GET", "sys/health")[0] == 200)

    def serves(self):
        return self.ask("GET", "kv/one")[1].get("data") == {"password": "served"}

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def store_entries(archive):
    """The entries of a server's own snapshot."""
    content = zlib.decompressobj(31)
    with open(archive, "rb") as file:
        plain = content.decompress(file.read())
    state_bin = tarfile.open(fileobj=io.BytesIO(plain)).extractfile("state.bin").read()
    found, at = [], 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = state_bin[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(state_bin):
        end = number() + at
        pair = {0x0A: b"", 0x12: b""}
        while at < end:
            tag = number()
            count = number()
            pair[tag] = state_bin[at:at + count]
            at += count
        found.append((pair[0x0A], pair[0x12]))
    return found


def served_archive(folder):
    """A server's own snapshot, and many entries more in it. The archive, the one key share and the root token."""
    remove(folder)
    server = Server(folder)
    share, token = server.initialise()
    server.unseal(share)
    server.ask("POST", "sys/mounts/kv", {"type": "kv"})
    server.wait(lambda: server.ask("POST", "kv/one", {"password": "served"})[0] in (200, 204))
    saved = f"{work}/saved.snap"
    with open(saved, "wb") as file:
        file.write(server.ask("GET", "sys/storage/raft/snapshot")[1])
    server.stop()
    archive = f"{work}/served.snap"
    pairs = sorted(store_entries(saved) + list(junk(served, "00000000-0000-0000-0000-000000000000")))
    write_archive(archive, lambda: pieces(pairs), 0)
    remove(folder, saved)
    return archive, share, token


def beside_server():
    """From the archive to a served secret, beside the server's own restore into a running node."""
    folder = f"{work}/node"
    archive, share, token = served_archive(folder)
    print(f"archive -> a served secret, {served:,} entries of 1 KiB, one node, {os.path.getsize(archive) >> 20} MiB", flush=True)
    ours, theirs = [], []
    for run in range(runs + 1):
        remove(folder, state)
        subprocess.run(["sync"], check=True)
        begin = time.monotonic()
        subprocess.run(migrate(archive, folder), check=True, stdout=subprocess.DEVNULL)
        server = Server(folder)
        server.token = token
        server.unseal(share)
        server.wait(server.serves)
        seconds = time.monotonic() - begin
        server.stop()
        if run:
            ours.append(seconds)
        remove(folder, state)
        server = Server(folder)
        other, _ = server.initialise()
        server.unseal(other)
        subprocess.run(["sync"], check=True)
        begin = time.monotonic()
        subprocess.run([bao, "operator", "raft", "snapshot", "restore", "-force", archive], check=True,
                       env=environment | {"BAO_ADDR": f"http://127.0.0.1:{port}", "BAO_TOKEN": server.token})
        server.wait(lambda: server.ask("GET", "sys/seal-status")[1].get("sealed") is True)
        server.token = token
        server.unseal(share)
        server.wait(server.serves)
        if run:
            theirs.append(time.monotonic() - begin)
        server.stop()
    remove(folder, state, archive)
    one, two = statistics.median(ours), statistics.median(theirs)
    print(f"    sealift, proof, start of the server and unsealing included  {one:6.2f} s ({min(ours):.2f}-{max(ours):.2f})")
    print(f"    operator raft snapshot restore -force, unsealing included   {two:6.2f} s ({min(theirs):.2f}-{max(theirs):.2f})")
    print(f"    {two / one:.1f} times as fast (budget 10)", flush=True)


def settle():
    """Waits until the disk is at rest: blocks that are given back are still discarded after a sync, beside what follows."""
    subprocess.run(["sync"], check=True)
    time.sleep(1)


def drills():
    """From the archive to a served secret in a drill, phase by phase, beside the restore alone."""
    folder, history = f"{work}/node", f"{work}/drills"
    archive, share, _ = served_archive(folder)
    config, shares = f"{work}/drill.hcl", f"{work}/shares.txt"
    with open(config, "w") as file:
        file.write(block("source", "raft_snapshot", path=archive))
        file.write(f'drill {{\n  folder = "{history}"\n}}\nserver {{\n  binary = "{bao}"\n  read = "kv/one"\n}}\n')
    with open(shares, "w") as file:
        file.write(share + "\n")
    os.chmod(shares, 0o600)
    print(f"a drill of {served:,} entries of 1 KiB, from an archive to a served secret", flush=True)
    phases, whole, alone = {}, [], []
    for run in range(runs + 1):
        remove(folder, state)
        settle()
        begin = time.monotonic()
        subprocess.run(migrate(archive, folder), check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - begin
        remove(folder, state)
        settle()
        with open(shares) as given:
            said = subprocess.run([sealift, "drill", "-config", config, "-shares-fd", "0", "-format=json", "-log-level=error"],
                                  stdin=given, stdout=subprocess.PIPE, env=environment)
        result = json.loads(said.stdout.splitlines()[-1])
        if said.returncode:
            sys.exit(f"the drill failed: {result}")
        if run:
            alone.append(seconds), whole.append(result["seconds"])
            for phase in result["phases"]:
                phases.setdefault(phase["phase"], []).append(phase["seconds"])
    remove(folder, state, archive, shares, history)
    servers = {"start", "unseal", "serve", "stop"}
    for phase, seconds in phases.items():
        whose = " (the server's)" if phase in servers else ""
        print(f"    {phase:<10}{statistics.median(seconds):8.2f} s{whose}")
    ours = statistics.median(whole) - sum(statistics.median(seconds) for phase, seconds in phases.items() if phase in servers)
    one = statistics.median(alone)
    print(f"    all {statistics.median(whole):.2f} s; without the server's phases {ours:.2f} s; the restore alone {one:.2f} s")
    print(f"    ratio {ours / one:.2f} (budget 1.3)", flush=True)


os.makedirs(work, exist_ok=True)
for part in [beside_tools, whole_cluster, beside_server, drills]:
    # Further words choose parts.
    if not sys.argv[7:] or part.__name__ in sys.argv[7:]:
        part()
