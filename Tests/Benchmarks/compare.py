"""Runs Sealift and what it is compared with in turn and prints medians: see scripts/benchmark."""
import os
import statistics
import subprocess
import sys

from measuring import block, remove, timed

sealift, work, entries, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def configuration(name, source, destination):
    path = f"{work}/{name}.hcl"
    with open(path, "w") as file:
        file.write(source + destination + 'cluster_addr = "https://10.0.0.11:8201"\n')
    return path


def migrate(config):
    return [sealift, "operator", "migrate", "-config", config, "-log-level=error", "-state-dir", f"{work}/state"]


def compare(title, config, made, others):
    """Runs the migration and the other commands in turn."""
    own, memory = [], []
    times = {name: [] for name, _, _ in others}
    for count in range(runs + 1):
        seconds, peak = timed(migrate(config), made + [f"{work}/state"])
        results = {}
        for name, command, clean in others:
            results[name] = timed(["sh", "-c", command], clean)[0]
            remove(*clean)
        if count == 0:
            continue
        own.append(seconds)
        memory.append(peak)
        for name, value in results.items():
            times[name].append(value)
    parts = {name: statistics.median(values) for name, values in times.items()}
    mine = statistics.median(own)
    print(f"{title}: {mine:.2f} s ({min(own):.2f}-{max(own):.2f}), {max(memory):.0f} MiB resident")
    for name, value in parts.items():
        print(f"    {name}: {value:.2f} s")
    return mine, parts


def files_to_raft():
    source = f"{work}/files-100k"
    if not os.path.isdir(source):
        subprocess.run(["make_file_store", source, "100000", "1024"], check=True)
    raft = f"{work}/raft-100k"
    config = configuration("files-to-raft", block("source", "file", path=source),
                           block("destination", "raft", path=raft, node_id="node1"))
    keep = f"{work}/raft-100k-kept"
    remove(raft, keep, f"{work}/state")
    subprocess.run(migrate(config), check=True, stdout=subprocess.DEVNULL)
    os.rename(raft, keep)
    mine, parts = compare(
        "file -> raft, 100,000 entries of 1 KiB, comparison included", config, [raft],
        [("bare walk that opens and reads every file", f"read_every_file {source}", []),
         ("the same by two threads", f"read_every_file {source} 2", []),
         ("cp and sync of the result", f"cp -r {keep} {work}/copy && sync", [f"{work}/copy"]),
         ("tar cf and sync of the source", f"tar cf {work}/source.tar -C {source} . && sync", [f"{work}/source.tar"])])
    walk, pair, copy, tar = parts.values()
    print(f"    ratio to walk + cp + sync: {mine / (walk + copy):.2f} (budget 1.5)")
    print(f"    ratio to the walk by two threads: {mine / pair:.2f}")
    print(f"    ratio to tar + sync: {mine / tar:.2f} (budget 1.0)\n")
    remove(keep)


def raft_to_raft():
    source, raft = f"{work}/raft-large", f"{work}/raft-copy"
    if not os.path.isdir(source):
        files = f"{work}/files-large"
        if not os.path.isdir(files):
            subprocess.run(["make_file_store", files, str(entries), "1024"], check=True)
        config = configuration("large", block("source", "file", path=files),
                               block("destination", "raft", path=source, node_id="node1"))
        remove(f"{work}/state")
        seconds, peak = timed(migrate(config), [f"{work}/state"])
        print(f"file -> raft, {entries:,} entries of 1 KiB: {seconds:.1f} s, {peak:.0f} MiB resident\n")
    config = configuration("raft-to-raft", block("source", "raft", path=source),
                           block("destination", "raft", path=raft, node_id="node1"))
    mine, parts = compare(
        f"raft -> raft, {entries:,} entries of 1 KiB, comparison included", config, [raft],
        [("cp and sync of the same vault.db", f"cp {source}/vault.db {work}/copy.db && sync", [f"{work}/copy.db"])])
    print(f"    ratio to cp + sync: {mine / parts['cp and sync of the same vault.db']:.2f} (budget 2.0)\n")
    sqlite = f"{work}/large.sqlite"
    config = configuration("raft-to-sqlite", block("source", "raft", path=source),
                           block("destination", "sqlite", path=sqlite))
    compare(f"raft -> sqlite, {entries:,} entries of 1 KiB, comparison included", config, [sqlite], [])
    remove(sqlite, f"{work}/state")
    subprocess.run(migrate(config), check=True, stdout=subprocess.DEVNULL)
    config = configuration("sqlite-to-raft", block("source", "sqlite", path=sqlite),
                           block("destination", "raft", path=raft, node_id="node1"))
    compare(f"sqlite -> raft, {entries:,} entries of 1 KiB, comparison included", config, [raft], [])
    remove(raft, sqlite, f"{work}/state")


files_to_raft()
raft_to_raft()
