"""Runs the stock command's migration and Sealift's in turn on one store: see scripts/benchmark."""
import os
import statistics
import subprocess
import sys

from measuring import block, remove, timed

sealift, bao, work, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
state = f"{work}/state"
# Neither a token nor an address of this machine's user counts.
environment = {"PATH": os.environ["PATH"], "HOME": work}


def prepare(entries):
    """The store, and for either command its file and its destination."""
    source = f"{work}/files-{entries}"
    if not os.path.isdir(source):
        subprocess.run(["make_file_store", source, str(entries), "1024"], check=True)
    found = []
    for name in ("stock", "sealift"):
        raft = f"{work}/raft-{name}"
        path = f"{work}/{name}.hcl"
        with open(path, "w") as file:
            file.write(block("source", "file", path=source) + block("destination", "raft", path=raft, node_id="node1"))
            file.write('cluster_addr = "https://10.0.0.11:8201"\n')
        found.append((path, raft))
    return source, *found


def run_stock(config, raft, parallel):
    """The stock command opens a directory that is there and never makes one."""
    remove(raft)
    command = ["sh", "-c", 'mkdir -p -m 700 "$1" && shift && exec "$@"', "sh", raft, bao, "operator", "migrate",
               "-config", config, "-log-level=error"] + parallel
    return timed(command, [], env=environment, stderr=subprocess.DEVNULL)


def run_sealift(config, raft, parallel):
    command = [sealift, "operator", "migrate", "-config", config, "-log-level=error", "-state-dir", state] + parallel
    return timed(command, [raft, state])


def digest(config):
    command = [sealift, "checksum", "-config", config, "-side=destination", "-digest-only", "-log-level=error"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


def report(name, results):
    seconds = [seconds for seconds, _ in results]
    median = statistics.median(seconds)
    memory = max(memory for _, memory in results)
    print(f"    {name}: {median:.2f} s ({min(seconds):.2f}-{max(seconds):.2f}), {memory:.0f} MiB resident")
    return median


def compare(entries, parallel):
    source, stock, own = prepare(entries)
    title = f"-max-parallel {parallel[1]}" if parallel else "default parallelism (10)"
    print(f"file -> raft, {entries:,} entries of 1 KiB, {title}", flush=True)
    times = {"bao operator migrate": [], "sealift operator migrate, comparison included": [],
             "  bare walk that opens and reads every file": [], "  sealift checksum of the source": []}
    look = [sealift, "checksum", "-config", own[0], "-side=source", "-digest-only", "-log-level=error"] + parallel
    for _ in range(runs):
        for name, measure in zip(times, (
                lambda: run_stock(*stock, parallel), lambda: run_sealift(*own, parallel),
                lambda: timed(["read_every_file", source], []), lambda: timed(look, []))):
            times[name].append(measure())
        if digest(stock[0]) != digest(own[0]):
            sys.exit("the two destinations differ")
    theirs, mine, walk, reading = (report(name, results) for name, results in times.items())
    print(f"    ratio: {theirs / mine:.1f}; {mine / walk:.1f} bare walks, {mine / reading:.1f} checksums of the source\n",
          flush=True)
    remove(stock[1], own[1], state)


for entries in (10_000, 100_000):
    for parallel in ([], ["-max-parallel", "100"]):
        compare(entries, parallel)
