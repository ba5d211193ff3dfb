"""Runs a Raft log store on hosts of their own, network namespaces with a bridge between them, cuts the network between the
hosts while clients write and read, and demands that nothing acknowledged is lost, that no read is stale, and that all nodes
hold the same in the end. To be run as root inside of a network namespace of its own, which becomes the place of the clients
and of the bridge.

usage: cluster_of_hosts.py SEALIFT FOLDER HOSTS ROUNDS
"""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

program, folder, hosts, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
TOKEN = "of-this-trial-only"
KEYS = 8


def address(number):
    return f"10.99.0.{number + 1}"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def host_name(number):
    return f"sealift-{os.getpid()}-{number + 1}"


class Node:
    def __init__(self, number):
        self.number, self.process = number, None
        self.name, self.port = host_name(number), f"port{number + 1}"
        ip("netns", "add", self.name)
        ip("link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", self.port, "master", "switch", "up")
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("-n", self.name, "addr", "add", f"{address(number)}/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")
        join = f'retry_join {{\n    leader_api_addr = "http://{address(0)}:8200"\n  }}' if number else ""
        with open(f"{folder}/{self.name}.hcl", "w") as file:
            file.write(f"""
storage "raft" {{
  path                   = "{folder}/{self.name}"
  node_id                = "n{number + 1}"
  performance_multiplier = 0.5
  trailing_logs          = 64
  snapshot_threshold     = 64
  {join}
}}
listener "tcp" {{
  address     = "{address(number)}:8200"
  tls_disable = true
  token_file  = "{folder}/token"
}}
cluster_addr = "http://{address(number)}:8201"
""")

    def start(self, *more):
        log = open(f"{folder}/{self.name}.log", "ab")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, program, "raft", "server", "-allow-remote", "-config",
             f"{folder}/{self.name}.hcl", *more], stdout=log, stderr=log)

    def kill(self):
        # `ip netns exec` becomes the program.
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def cut(self):
        ip("link", "set", self.port, "down")

    def heal(self):
        ip("link", "set", self.port, "up")
        for other in range(hosts):
            subprocess.run(["ip", "-n", self.name, "route", "del", "blackhole", f"{address(other)}/32"],
                           stderr=subprocess.DEVNULL)

    def silence_towards(self, other):
        """What it sends to another one is lost, what that one sends arrives."""
        ip("-n", self.name, "route", "add", "blackhole", f"{address(other)}/32")


def ask(method, number, path, body=None, timeout=2.0):
    connection = http.client.HTTPConnection(address(number), 8200, timeout=timeout)
    try:
        connection.request(method, f"/v1/{path}", body, {"X-Vault-Token": TOKEN})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Location")
    finally:
        connection.close()


def ask_any(method, path, body=None, first=0, patience=30.0):
    """Asks until a node answers that leads; None if it is not known what became of it."""
    end, number = time.monotonic() + patience, first % hosts
    while time.monotonic() < end:
        try:
            status, content, location = ask(method, number, path, body)
        except OSError:
            number, location, status = (number + 1) % hosts, None, 0
            if method == "POST":
                return None
        except http.client.HTTPException:
            return None
        if status in (200, 204):
            return status, content
        if status == 307:
            number = int(location.split("//")[1].split(":")[0].rsplit(".", 1)[1]) - 1
            continue
        if status in (500, 507) or (status == 503 and b"no leader" not in content):
            return None
        number = (number + 1) % hosts
        time.sleep(0.05)
    return None


def put(key, value):
    """A command of integrated storage that puts one entry."""
    def field(tag, data):
        assert len(data) < 128
        return bytes([tag, len(data)]) + data
    return field(0x0A, b"\x08\x02" + field(0x1A, key) + field(0x22, value))


class Register:
    """A key with one writer, whose values are ascending numbers."""

    def __init__(self, name):
        self.key, self.lock = name.encode(), threading.Lock()
        self.tried, self.acknowledged, self.seen = 0, 0, 0


registers = [Register(f"hosts/{number}") for number in range(KEYS)]
acknowledged, ending, faults = [0], threading.Event(), []


def write(register, turn):
    while not ending.is_set():
        with register.lock:
            register.tried += 1
        if ask_any("POST", "sealift/entries", put(register.key, str(register.tried).encode()), turn, 4) is not None:
            with register.lock:
                register.acknowledged = register.tried
            acknowledged[0] += 1
        turn += 1
        time.sleep(0.002)


def read(register, turn, patience=4.0):
    with register.lock:
        least = max(register.acknowledged, register.seen)
    answer = ask_any("GET", f"sealift/entry?key={register.key.hex()}", None, turn, patience)
    if answer is None:
        return False
    found = int(answer[1]) if answer[0] == 200 else 0
    with register.lock:
        if not least <= found <= register.tried:
            faults.append(f"{register.key.decode()}: {found} was read, {least} was there before, {register.tried} was tried")
        register.seen = max(register.seen, found)
    return True


def read_on(turn):
    while not ending.is_set():
        read(registers[turn % KEYS], turn)
        turn += 1
        time.sleep(0.002)


def eventually(what, is_so, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return
        time.sleep(0.1)
    raise SystemExit(f"not in {seconds} s: {what}")


def leader(among):
    for number in among:
        try:
            if ask("GET", number, "sealift/list?prefix=00")[0] == 200:
                return number
        except (OSError, http.client.HTTPException):
            pass
    return None


def wait_for_leader(among):
    found = []
    eventually(f"one of {among} leads", lambda: found.append(leader(among)) or found[-1] is not None)
    return found[-1]


def go_on(writes):
    goal = acknowledged[0] + writes
    eventually(f"{writes} more writes are acknowledged", lambda: acknowledged[0] >= goal)


def status():
    addresses = ",".join(f"http://{address(number)}:8200" for number in range(hosts))
    outcome = subprocess.run(
        [program, "raft", "status", "-prove", "-format=json", "-token-file", f"{folder}/token", "-address", addresses],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
    return outcome.returncode, json.loads(outcome.stdout or b"{}").get("nodes", [])


def main():
    # What ends it from outside leaves no host behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with open(os.open(f"{folder}/token", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write(TOKEN)
    ip("link", "add", "switch", "type", "bridge")
    ip("addr", "add", "10.99.0.254/24", "dev", "switch")
    ip("link", "set", "switch", "up")
    ip("link", "set", "lo", "up")
    nodes = []
    try:
        for number in range(hosts):
            nodes.append(Node(number))
            nodes[-1].start(*(["-bootstrap"] if number == 0 else []))

        def voters():
            try:
                servers = json.loads(ask("GET", 0, "sys/storage/raft/configuration")[1])["data"]["config"]["servers"]
            except (OSError, http.client.HTTPException, KeyError, ValueError):
                return 0
            return sum(server["voter"] for server in servers)

        eventually(f"{hosts} nodes vote", lambda: voters() == hosts)
        random.seed(hosts)
        threads = [threading.Thread(target=write, args=(register, turn)) for turn, register in enumerate(registers)]
        threads += [threading.Thread(target=read_on, args=(turn,)) for turn in range(4)]
        for thread in threads:
            thread.start()
        everybody = list(range(hosts))
        for turn in range(rounds):
            go_on(50)
            head = wait_for_leader(everybody)
            others = [number for number in everybody if number != head]
            kind = ["the leader is cut off", "followers are cut off", "the leader is not heard by a follower",
                    "the leader is cut off and killed", "a follower is killed while another one is cut off"][turn % (5 if hosts > 3 else 4)]
            print(f"{hosts} hosts, round {turn + 1}: {kind}", flush=True)
            if "followers" in kind:
                gone = random.sample(others, (hosts - 1) // 2)
            elif "not heard" in kind or "a follower is" in kind:
                gone = random.sample(others, 1)
            else:
                gone = [head]
            killed = None
            if "not heard" in kind:
                nodes[head].silence_towards(gone[0])
            else:
                for number in gone:
                    nodes[number].cut()
            if "and killed" in kind:
                killed = head
            elif "is killed" in kind:
                killed = next(number for number in others if number not in gone)
            if killed is not None:
                nodes[killed].kill()
            wait_for_leader([number for number in everybody if number not in (gone if "not heard" not in kind else [])
                             and number != killed])
            go_on(50)
            for node in nodes:
                node.heal()
            if killed is not None:
                nodes[killed].start()
            go_on(20)
        ending.set()
        for thread in threads:
            thread.join()
        for register in registers:
            if not read(register, 0, 60):
                faults.append(f"{register.key.decode()} cannot be read")
        last = []
        eventually("all nodes hold the same", lambda: last.append(status()) or last[-1][0] == 0, 90)
        digests = {node.get("digest") for node in last[-1][1]}
        if len(last[-1][1]) != hosts or len(digests) != 1 or None in digests:
            faults.append(f"the nodes hold different entries: {last[-1][1]}")
        if not all(node.process.poll() is None for node in nodes):
            faults.append("a node has ended")
        for fault in faults:
            print(f"error: {fault}")
        print(f"{hosts} hosts: {acknowledged[0]} writes acknowledged, {len(faults)} faults, digest {digests}")
        return 1 if faults or acknowledged[0] < rounds * 100 else 0
    finally:
        ending.set()
        for node in nodes:
            if node.process and node.process.poll() is None:
                node.kill()
            ip("netns", "del", node.name)


sys.exit(main())
