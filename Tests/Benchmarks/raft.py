"""Measures the Raft log store beside a cluster of hashicorp/raft, and beside what the disk does.

usage: raft.py SEALIFT RAFTBENCHMARK RAFTPEER FOLDER [RUNS]
"""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import time

sealift, benchmark, raftpeer, folder = sys.argv[1:5]
runs = int(sys.argv[5]) if len(sys.argv) > 5 else 3


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Cluster:
    """Nodes of Sealift's on loopback, with time-outs of one second."""

    def __init__(self, count, name):
        self.home = os.path.join(folder, name)
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)
        self.apis, self.files, self.processes = [], [], []
        for number in range(count):
            api, port = free_port(), free_port()
            self.apis.append(f"http://127.0.0.1:{api}")
            join = f'retry_join {{\n leader_api_addr = "{self.apis[0]}"\n }}' if number else ""
            path = os.path.join(self.home, f"n{number}.hcl")
            with open(path, "w") as file:
                file.write(
                    f'storage "raft" {{\n path = "{self.home}/n{number}"\n node_id = "n{number}"\n'
                    f' performance_multiplier = 1\n {join}\n}}\nlistener "tcp" {{\n address = "127.0.0.1:{api}"\n'
                    f' tls_disable = true\n}}\ncluster_addr = "http://127.0.0.1:{port}"\n'
                )
            self.files.append(path)
            self.processes.append(None)

    @property
    def addresses(self):
        return ",".join(self.apis)

    def start(self, number):
        new = number == 0 and not os.path.exists(f"{self.home}/n0/log.mdb")
        log = open(f"{self.home}/n{number}.log", "a")
        self.processes[number] = subprocess.Popen(
            [sealift, "raft", "server", "-config", self.files[number]] + (["-bootstrap"] if new else []),
            stdout=log, stderr=log)

    def status(self):
        done = subprocess.run(
            [sealift, "raft", "status", "-format=json", "-address", self.addresses], capture_output=True, text=True)
        return json.loads(done.stdout)["nodes"] if done.stdout.strip() else []

    def form(self):
        for number in range(len(self.files)):
            self.start(number)
            if number == 0:
                time.sleep(0.5)
        while sum(node["voter"] for node in self.status()) < len(self.files):
            time.sleep(0.2)

    def peak(self, number):
        with open(f"/proc/{self.processes[number].pid}/status") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) >> 10

    def stop(self):
        for process in self.processes:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def throughput():
    print("Writing 100,000 entries of 1 KiB, three nodes on loopback, synced logs (entries per second, medians)")
    print("hashicorp/raft keeps the entries: synced, in a bolt file as integrated storage does; disk, in one that is not synced,")
    print("as Sealift does, since the log is; memory, in no file at all")
    print("  connections x entries a command    Sealift     synced  ratio       disk  ratio     memory  ratio")
    for connections, batch in ((8, 64), (4, 256), (2, 512)):
        ours, theirs = [], {"synced": [], "disk": [], "memory": []}
        for run in range(runs + 1):
            cluster = Cluster(3, "throughput")
            cluster.form()
            out = subprocess.run(
                [benchmark, "throughput", cluster.addresses, str(connections), "100000", str(batch), "1024"],
                capture_output=True, text=True, check=True).stdout
            cluster.stop()
            if run:
                ours.append(json.loads(out)["entries_per_second"])
            for kept in theirs:
                other = subprocess.run(
                    [raftpeer, "bench", "throughput", "-connections", str(connections), "-entries", "100000", "-batch",
                     str(batch), "-value-bytes", "1024", "-multiplier", "1", "-kept", kept],
                    capture_output=True, text=True, check=True).stdout
                if run:
                    theirs[kept].append(int(re.search(r'"entries_per_second":(\d+)', other).group(1)))
        one = statistics.median(ours)
        others = (statistics.median(rates) for rates in theirs.values())
        print(f"  {connections} x {batch:<29} {one:>9,.0f}" + "".join(f" {rate:>10,.0f} {one / rate:>6.2f}" for rate in others))


def failover():
    rounds = 20
    cluster = Cluster(3, "failover")
    cluster.form()
    gaps = []
    for _ in range(rounds):
        while len([node for node in cluster.status() if node["reachable"] and node["lag"] < 8]) < 3:
            time.sleep(0.2)
        probe = subprocess.Popen(
            [benchmark, "probe", cluster.addresses, "9"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(1)
        leader = next(index for index, node in enumerate(sorted(cluster.status(), key=lambda n: n["node_id"])) if node["leader"])
        killed = time.time_ns()
        cluster.processes[leader].kill()
        cluster.processes[leader].wait()
        times = [int(line) for line in probe.communicate()[0].split()]
        before = max(moment for moment in times if moment <= killed)
        after = min(moment for moment in times if moment > killed)
        gaps.append((after - before) / 1e6)
        cluster.start(leader)
        time.sleep(1)
    cluster.stop()
    other = subprocess.run(
        [raftpeer, "bench", "failover", "-rounds", str(rounds), "-multiplier", "1"], capture_output=True, text=True).stdout
    median = re.search(r'"median_ms":([\d.]+)', other)
    print(f"Loss of the leader, {rounds} times: no write acknowledged for (median) "
          f"Sealift {statistics.median(gaps):,.0f} ms ({min(gaps):,.0f} to {max(gaps):,.0f}), "
          f"hashicorp/raft {median.group(1) if median else '?'} ms")


def make_store(path, count):
    if os.path.exists(path):
        return
    base = sqlite3.connect(path)
    base.execute("pragma page_size=16384")
    base.execute("create table vault_kv_store(key blob primary key, value blob)")
    random = os.urandom(1 << 20)
    base.executemany(
        "insert into vault_kv_store values(?,?)",
        ((b"logical/%06x/secret-%010d" % (place // 256, place),
          random[(place * 37) % 1000000:][:1024].ljust(1024, b"x")) for place in range(count)))
    base.commit()


def timed(command):
    begin = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.time() - begin


def migration(count):
    source = os.path.join(folder, f"source-{count}.sqlite")
    make_store(source, count)
    one, three, peaks = [], [], []
    for run in range(runs + (count < 1000000)):
        out = os.path.join(folder, "single")
        for leftover in (out, out + ".sealift", os.path.join(folder, "state")):
            shutil.rmtree(leftover, ignore_errors=True)
        single, many = os.path.join(folder, "single.hcl"), os.path.join(folder, "many.hcl")
        with open(single, "w") as file:
            file.write(f'storage_source "sqlite" {{ path = "{source}" }}\nstorage_destination "raft" {{\n path = "{out}"\n'
                       ' node_id = "a"\n}\ncluster_addr = "https://127.0.0.1:8201"\n')
        alone = timed([sealift, "operator", "migrate", "-config", single, "-practice", "-allow-any-data"])
        cluster = Cluster(3, "migration")
        cluster.form()
        with open(many, "w") as file:
            file.write(f'storage_source "sqlite" {{ path = "{source}" }}\n'
                       f'storage_destination "raft_cluster" {{ address = "{cluster.addresses}" }}\n')
        both = timed([sealift, "operator", "migrate", "-config", many, "-allow-any-data", "-state-dir",
                      os.path.join(folder, "state")])
        peaks.append(max(cluster.peak(number) for number in range(3)))
        cluster.stop()
        if run or count >= 1000000:
            one.append(alone)
            three.append(both)
    print(f"Migration of {count:,} entries of 1 KiB from SQLite: one directory {statistics.median(one):.2f} s, three nodes "
          f"{statistics.median(three):.2f} s, ratio {statistics.median(three) / statistics.median(one):.2f}; "
          f"largest node {max(peaks)} MiB")


def install():
    count = 1 << 20
    source = os.path.join(folder, f"source-{count}.sqlite")
    make_store(source, count)
    cluster = Cluster(2, "install")
    cluster.start(0)
    time.sleep(1)
    many = os.path.join(folder, "install.hcl")
    with open(many, "w") as file:
        file.write(f'storage_source "sqlite" {{ path = "{source}" }}\n'
                   f'storage_destination "raft_cluster" {{ address = "{cluster.apis[0]}" }}\n')
    subprocess.run([sealift, "operator", "migrate", "-config", many, "-allow-any-data", "-state-dir",
                    os.path.join(folder, "state-install")], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(os.path.join(folder, "state-install"), ignore_errors=True)
    cluster.start(1)
    seconds = None
    while seconds is None:
        time.sleep(0.2)
        with open(f"{cluster.home}/n0.log") as file:
            found = re.findall(r"a snapshot was sent.*bytes=(\d{7,}) seconds=([\d.]+) taken=true", file.read())
            if found:
                size, seconds = int(found[-1][0]), float(found[-1][1])
    cluster.stop()
    plain = os.path.join(folder, "plain")
    with open(plain, "wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    # Every copy a new file beside the others: memory for pages that were given up just now costs less than what the node got.
    copies = []
    for number in range(3):
        subprocess.run(["sync"])
        copies.append(timed(["sh", "-c", f"cp {plain} {plain}.{number} && sync {plain}.{number}"]))
    for name in [plain] + [f"{plain}.{number}" for number in range(3)]:
        os.remove(name)
    print(f"Installation of a snapshot of {size >> 20} MiB: {seconds:.2f} s; cp and sync of as many bytes "
          f"{statistics.median(copies):.2f} s, ratio {seconds / statistics.median(copies):.2f}")


os.makedirs(folder, exist_ok=True)
throughput()
failover()
migration(500000)
install()
migration(4000000)
