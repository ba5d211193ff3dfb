"""Measures proofs with key shares: in memory, of a store, and what they add to a migration's comparison.

usage: prove.py SEALIFT PROVEBENCHMARK FOLDER ENTRIES RUNS
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

sealift, benchmark, folder, entries, runs = sys.argv[1:4] + [int(sys.argv[4]), int(sys.argv[5])]
os.makedirs(folder, exist_ok=True)
print("in memory, 1 KiB entries, one thread:")
print(subprocess.run([benchmark, "memory", "100000"], check=True, capture_output=True, text=True).stdout)

source, shares = f"{folder}/source", f"{folder}/shares"
shutil.rmtree(source, ignore_errors=True)
with open(shares, "w") as file:
    subprocess.run([benchmark, "make", source, str(entries)], check=True, stdout=file)


def run(words):
    with open(shares) as file:
        begin = time.monotonic()
        done = subprocess.run(
            [sealift] + words + ["-shares-fd", str(file.fileno())] if "-prove" in words or words[0] == "prove"
            else [sealift] + words, pass_fds=[file.fileno()], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        return time.monotonic() - begin, done.stdout


def migrate(prove, read_back):
    for name in ["raft", "raft.sealift"]:
        shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
    _, output = run(["operator", "migrate", "-config", f"{folder}/migrate.hcl", "-format=json", f"-read-back={read_back}"]
                    + (["-prove"] if prove else []))
    result = json.loads(output.strip().split("\n")[-1])
    return next(phase["seconds"] for phase in report()["progress"]["phases"] if phase["phase"] == "comparing"), result


def report():
    with open(f"{folder}/raft.sealift/report.json") as file:
        return json.load(file)


with open(f"{folder}/migrate.hcl", "w") as file:
    file.write(f'storage_source "file" {{ path = "{source}" }}\n'
               f'storage_destination "raft" {{\n  path = "{folder}/raft"\n  node_id = "node1"\n}}\n'
               'cluster_addr = "https://10.0.0.11:8201"\n')
for read_back in ["disk", "cache"]:
    seconds = {False: [], True: []}
    for number in range(runs + 1):
        for prove in (False, True) if number % 2 else (True, False):
            taken, _ = migrate(prove, read_back)
            if number:
                seconds[prove].append(taken)
    plain, proved = (statistics.median(seconds[prove]) for prove in (False, True))
    print(f"comparison of {entries:,} entries read from {read_back}: {plain:.3f} s, with -prove {proved:.3f} s, "
          f"{100 * (proved / plain - 1):+.0f} %")
taken = [run(["prove", "-config", f"{folder}/migrate.hcl"])[0] for _ in range(runs)]
best = statistics.median(taken)
print(f"prove of the Raft directory: {best:.3f} s, {entries * 1024 / best / 1e9:.2f} GB/s")
