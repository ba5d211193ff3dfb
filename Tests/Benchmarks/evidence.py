"""Measures what resuming, passes and comparisons cost, beside plain scans of the same stores: see scripts/benchmark."""
import atexit
import os
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

sealift, work, entries, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
value_bytes = 1024


def remove(*paths):
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
        for name in (path, f"{path}-wal", f"{path}-shm"):
            if os.path.exists(name):
                os.unlink(name)


def block(name, kind, **options):
    lines = "".join(f"  {key} = \"{value}\"\n" for key, value in options.items())
    return f"{name} \"{kind}\" {{\n{lines}}}\n"


def write(name, text):
    path = f"{work}/{name}.hcl"
    with open(path, "w") as file:
        file.write(text)
    return path


def migration(name, source, destination):
    return write(name, block("storage_source", **source) + block("storage_destination", **destination)
                 + "cluster_addr = \"https://10.0.0.11:8201\"\n")


def run(*words, codes=(0,)):
    begin = time.monotonic()
    done = subprocess.run([sealift, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.monotonic() - begin
    if done.returncode not in codes:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}")
    return seconds, done.stdout


def migrate(config, *flags, codes=(0,)):
    return run("operator", "migrate", "-config", config, "-allow-any-data", "-state-dir", f"{work}/state", *flags, codes=codes)


def scan(store, name):
    return run("checksum", "-digest-only", "-config", write(name, block("storage", **store)))[0]


def make_sqlite(path):
    remove(path)
    chance = random.Random(1)
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE vault_kv_store (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
    base.executemany("INSERT INTO vault_kv_store VALUES (?, ?)", (
        (f"logical/mount/{number // 100:06d}/{number % 100:02d}".encode(), chance.randbytes(value_bytes))
        for number in range(entries)))
    base.commit()
    base.close()


def change(path, seed):
    """One entry of a hundred: most are changed, some removed, some made."""
    chance = random.Random(seed)
    base = sqlite3.connect(path)
    for number in chance.sample(range(entries), entries // 100):
        key = f"logical/mount/{number // 100:06d}/{number % 100:02d}".encode()
        kind = number % 10
        if kind == 0:
            base.execute("DELETE FROM vault_kv_store WHERE key = ?", (key,))
        elif kind == 1:
            base.execute("INSERT OR REPLACE INTO vault_kv_store VALUES (?, ?)", (key + b"-new", chance.randbytes(value_bytes)))
        else:
            base.execute("INSERT OR REPLACE INTO vault_kv_store VALUES (?, ?)", (key, chance.randbytes(value_bytes)))
    base.commit()
    base.close()


class Table:
    """A practice table."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sealift, "practice-table", "-address", "127.0.0.1:0", "-path", path], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        atexit.register(self.stop)
        self.endpoint = None
        for line in self.process.stdout:
            found = re.search(r"listening on (\S+)", line)
            if found:
                self.endpoint = found.group(1)
                break

    def store(self, **more):
        return dict(kind="dynamodb", table="vault-dynamodb-backend", endpoint=self.endpoint, access_key="practice",
                    secret_key="practice", region="us-east-1", **more)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def shown(name, ours, theirs, budget):
    one, two = statistics.median(ours), statistics.median(theirs)
    print(f"  {name:<46} {one:6.2f} s {two:8.2f} s   {one / two:5.2f}   {budget}", flush=True)


def journal():
    print("Journal: practice table -> raft, with and without")
    source, path = f"{work}/source.sqlite", f"{work}/table.sqlite"
    remove(path)
    table = Table(path)
    config = migration("fill", dict(kind="sqlite", path=source), table.store(create_table="on-demand"))
    remove(f"{work}/state")
    migrate(config)
    config = migration("journal", table.store(), dict(kind="raft", path=f"{work}/raft", node_id="node1"))
    kept, none = [], []
    for number in range(runs + 1):
        for times, flags in ((kept, []), (none, ["-no-journal"])):
            remove(f"{work}/raft", f"{work}/state")
            seconds = migrate(config, *flags)[0]
            if number:
                times.append(seconds)
    shown("with the journal, without", kept, none, "1.3")
    remove(f"{work}/raft", f"{work}/state")
    table.stop()


def final(name, destination, *paths):
    source = f"{work}/source.sqlite"
    store = dict(kind="sqlite", path=source)
    config = migration("final", store, destination)
    passes, scans = [], []
    for number in range(runs + 1):
        remove(f"{work}/state", *paths)
        migrate(config, "-mode=warm", codes=(4,))
        change(source, number)
        plain = scan(store, "source")
        seconds, said = migrate(config, "-mode=final")
        if "Since then" not in said:
            sys.exit(said)
        if number:
            passes.append(seconds)
            scans.append(plain)
    shown(name, passes, scans, "1.2")
    remove(f"{work}/state", *paths)


def final_of_table(name, destination, *paths):
    path = f"{work}/table.sqlite"
    passes, scans = [], []
    for number in range(runs + 1):
        table = Table(path)
        remove(f"{work}/state", *paths)
        config = migration("final", table.store(), destination)
        migrate(config, "-mode=warm", codes=(4,))
        # The same table with other contents, brought there by a repair. Its address is another each time.
        remove(f"{work}/refill")
        change(f"{work}/source.sqlite", number + 100)
        run("repair", "-config", write("refill", block("storage_source", "sqlite", path=f"{work}/source.sqlite")
                                      + block("storage_destination", **table.store())), "-allow-any-data", "-remove-extra",
            "-state-dir", f"{work}/refill")
        plain = scan(table.store(), "table")
        seconds, said = migrate(config, "-mode=final")
        if "Since then" not in said:
            sys.exit(said)
        if number:
            passes.append(seconds)
            scans.append(plain)
        table.stop()
    shown(name, passes, scans, "1.2")
    remove(f"{work}/state", f"{work}/refill", *paths)


def comparison():
    print("Comparison beside the scan of its slower side")
    source = dict(kind="sqlite", path=f"{work}/source.sqlite")
    for name, other in (("sqlite, raft", dict(kind="raft", path=f"{work}/raft", node_id="node1")),
                        ("sqlite, file", dict(kind="file", path=f"{work}/files"))):
        remove(other["path"], f"{work}/state")
        config = migration("compared", source, other)
        migrate(config)
        ours, theirs = [], []
        for number in range(runs + 1):
            seconds = run("check", "-config", config)[0]
            slower = max(scan(source, "one"), scan(other, "other"))
            if number:
                ours.append(seconds)
                theirs.append(slower)
        shown(name, ours, theirs, "1.2")
        remove(other["path"], f"{work}/state")


os.makedirs(work, exist_ok=True)
make_sqlite(f"{work}/source.sqlite")
print(f"{entries:,} entries of {value_bytes} bytes, medians of {runs}\n{'':48}   ours    beside it   ratio  budget")
journal()
print("Final pass with one entry of a hundred changed, beside a scan of its source")
final("sqlite -> sqlite", dict(kind="sqlite", path=f"{work}/there.sqlite"), f"{work}/there.sqlite")
final("sqlite -> file", dict(kind="file", path=f"{work}/there"), f"{work}/there")
final("sqlite -> raft", dict(kind="raft", path=f"{work}/there", node_id="node1"), f"{work}/there")
final_of_table("practice table -> sqlite", dict(kind="sqlite", path=f"{work}/there.sqlite"), f"{work}/there.sqlite")
final_of_table("practice table -> raft", dict(kind="raft", path=f"{work}/there", node_id="node1"), f"{work}/there")
comparison()
remove(f"{work}/source.sqlite", f"{work}/table.sqlite")
