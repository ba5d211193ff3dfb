"""Measures migrations from DynamoDB tables, beside the way the stock command walks one: see scripts/benchmark."""
import base64
import concurrent.futures
import contextlib
import http.client
import json
import math
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time

sealift, pages, work, entries, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
table = "vault-dynamodb-backend"
value_bytes, vault_value_bytes = 600, 1024


def remove(*paths):
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
        if os.path.exists(path):
            os.unlink(path)


# Tables

def items(count, directories, size, seed):
    """Items of a Vault's table with `count` entries below `directories` directories, as (Path, Key, value or None)."""
    numbers = random.Random(seed)

    def name(digits):
        return f"{numbers.getrandbits(4 * digits):0{digits}x}"

    yield " ", "core/", None
    yield " ", "logical/", None
    yield "core", "keyring", numbers.randbytes(400)
    yield "core", "seal-config", numbers.randbytes(130)
    left, made = count - 2, 2
    mount = None
    while left > 0:
        # A key-value mount: a folder below it for every hundredth of a version's hashed names.
        if made % 200 == 2 or mount is None:
            mount = f"logical/{name(32)}"
            yield "logical", mount[len("logical/"):] + "/", None
            yield mount, "versions/", None
            made += 2
        folder = name(6)
        yield f"{mount}/versions", f"{folder}/", None
        made += 1
        for _ in range(min(left, max(round(left / max(directories - made + 1, 1)), 1))):
            yield f"{mount}/versions/{folder}", name(32), numbers.randbytes(size)
            left -= 1


def attributes(path, key, value):
    content = {"NULL": True} if value is None else {"B": base64.b64encode(value).decode()}
    return {"Path": {"S": path}, "Key": {"S": key}, "Value": content}


def write_items(path, *arguments):
    with open(path, "w") as file:
        for item in items(*arguments):
            file.write('{"Item":' + json.dumps(attributes(*item), separators=(",", ":")) + "}\n")


class Client:
    """A connection to a DynamoDB-compatible server, for one thread. It costs less than an SDK's, to the advantage of
    the walk below."""

    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": "AWS4-HMAC-SHA256 Credential=practice/20240101/us-east-1/dynamodb/aws4_request, "
                         "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
        "X-Amz-Date": "20240101T000000Z",
    }

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def call(self, action, **body):
        headers = self.headers | {"X-Amz-Target": f"DynamoDB_20120810.{action}"}
        self.connection.request("POST", "/", json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"{action} was answered with {answer.status}: {text[:500]}")
        return json.loads(text)


# Servers

def processor_seconds(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Practice:
    """The practice table's process and what it counts."""

    def __init__(self, process, port):
        self.process, self.port = process, port

    def counts(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/")
        return json.loads(connection.getresponse().read())

    def requests(self):
        return sum(self.counts()["requests"].values())


class Moto:
    """The process of moto's server, and the requests in its log."""

    def __init__(self, process, port, log):
        self.process, self.port, self.log = process, port, log

    def requests(self):
        with open(self.log) as file:
            return sum('"POST / ' in line for line in file)


@contextlib.contextmanager
def running(process):
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def practice(path, *arguments):
    command = [sealift, "practice-table", "-address", "127.0.0.1:0", "-path", path, "-log-level=error", *arguments]
    with running(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) as process:
        for line in process.stdout:
            if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            sys.exit(f"{command} does not listen")
        yield Practice(process, int(found[1]))


@contextlib.contextmanager
def moto():
    log = f"{work}/moto.log"
    with open(log, "w") as file:
        server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
                                  stdout=file, stderr=file)
    with running(server) as process:
        while True:
            with open(log) as file:
                if found := re.search(r"Running on http://127\.0\.0\.1:(\d+)", file.read()):
                    break
            if process.poll() is not None:
                sys.exit(f"moto does not start: {log}")
            time.sleep(0.05)
        yield Moto(process, int(found[1]), log)


# Migrations

def migrate(port):
    """Migrates the table to a new Raft directory. Answers with the report, seconds, MiB at most, processor seconds."""
    raft, state, config = f"{work}/raft", f"{work}/state", f"{work}/dynamodb.hcl"
    with open(config, "w") as file:
        file.write(f"""storage_source "dynamodb" {{
  endpoint   = "http://127.0.0.1:{port}"
  region     = "us-east-1"
  table      = "{table}"
  access_key = "practice"
  secret_key = "practice"
}}
storage_destination "raft" {{
  path    = "{raft}"
  node_id = "node1"
}}
cluster_addr = "https://10.0.0.11:8201"
""")
    remove(raft, state)
    subprocess.run(["sync"], check=True)
    command = [sealift, "operator", "migrate", "-config", config, "-log-level=error", "-format=json",
               "-state-dir", state]
    begin = time.monotonic()
    with open(f"{work}/report.jsonl", "w") as file:
        child = subprocess.Popen(command, stdout=file)
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begin
    child.returncode = status
    if status != 0:
        sys.exit(f"{command} ended with {status}")
    with open(f"{work}/report.jsonl") as file:
        report = [json.loads(line) for line in file][-1]
    remove(raft, state)
    return report, seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def walk(port):
    """The stock command's way through a table (`vault operator migrate`, 1.14): one directory listed after the other,
    each with all its values, and then each entry fetched, ten of them at a time. What the stock command spends on
    writing them to its destination is not counted here.

    Answers with the number of entries and seconds."""
    local = threading.local()

    def client():
        if not hasattr(local, "client"):
            local.client = Client(port)
        return local.client

    def key(path, name):
        return {"Path": {"S": path}, "Key": {"S": name}}

    def names(directory):
        start = {}
        while True:
            page = client().call(
                "Query", TableName=table, ConsistentRead=True,
                KeyConditions={"Path": {"ComparisonOperator": "EQ",
                                        "AttributeValueList": [{"S": directory.rstrip("/") or " "}]}}, **start)
            for item in page["Items"]:
                if not item["Key"]["S"].startswith("_"):
                    yield item["Key"]["S"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def copy(entry):
        try:
            directory, _, name = entry.rpartition("/")
            item = client().call("GetItem", TableName=table, ConsistentRead=True, Key=key(directory or " ", name))
            return len(base64.b64decode(item["Item"]["Value"].get("B", "")))
        finally:
            free.release()

    begin = time.monotonic()
    own = client()
    own.call("DescribeTable", TableName=table)
    own.call("GetItem", TableName=table, ConsistentRead=True, Key=key("core", "migration"))
    marker = [("core", "migration", b'{"start":"2024-02-01T10:56:46Z"}\n'), (" ", "core/", None)]
    own.call("BatchWriteItem",
             RequestItems={table: [{"PutRequest": {"Item": attributes(*item)}} for item in marker]})
    free = threading.Semaphore(10)
    jobs, stack = [], [""]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        while stack:
            place = stack.pop()
            if place in ("core/migration", "core/lock"):
                continue
            if place == "" or place.endswith("/"):
                stack.extend(sorted((place + name for name in names(place)), reverse=True))
                continue
            free.acquire()
            jobs.append(pool.submit(copy, place))
    copied = len([job.result() for job in jobs])
    own.call("BatchWriteItem", RequestItems={table: [{"DeleteRequest": {"Key": key("core", "migration")}}]})
    own.call("Query", TableName=table, ConsistentRead=True, Limit=2, KeyConditions={
        "Path": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "core"}]}})
    return copied, time.monotonic() - begin


def read_units(server):
    """Read units of a whole migration, and the least that a scan can need."""
    before = server.counts()["readUnits"]
    report, *_ = migrate(server.port)
    size = Client(server.port).call("DescribeTable", TableName=table)["Table"]["TableSizeBytes"]
    assert report["entries"] == report["proven"]
    return server.counts()["readUnits"] - before, math.ceil(size / 4096)


# What is measured

def large_table():
    path = f"{work}/practice-{entries}.sqlite"
    arguments = []
    if not os.path.exists(path):
        write_items(f"{work}/items.jsonl", entries, entries // 100, value_bytes, 1)
        arguments = ["-import", f"{work}/items.jsonl"]
    with practice(path, *arguments) as server:
        remove(f"{work}/items.jsonl")
        own, memory, processor, practice_processor = [], [], [], []
        for count in range(runs + 1):
            before = processor_seconds(server.process)
            report, seconds, peak, spent = migrate(server.port)
            assert report["entries"] == report["proven"] == entries, report
            if count == 0:
                continue
            own.append(seconds)
            memory.append(peak)
            processor.append(spent)
            practice_processor.append(processor_seconds(server.process) - before)
            copying = report["copy_seconds"]
        mine = statistics.median(own)
        print(f"practice table -> raft, {entries:,} entries of {value_bytes} bytes, comparison included: {mine:.2f} s "
              f"({min(own):.2f}-{max(own):.2f}), {entries / mine:,.0f} entries/s (budget 25,000)")
        print(f"    the last run read and wrote in {copying:.2f} s")
        print(f"    Sealift: {max(memory):.0f} MiB resident (budget 256), "
              f"{statistics.median(processor):.2f} s of processor")
        print(f"    practice table: {statistics.median(practice_processor):.2f} s of processor\n")
        used, least = read_units(server)
        print(f"read units on that table: Sealift {used:,.0f}, a bare scan's least {least:,}, "
              f"{100 * (used / least - 1):+.2f} % (budget +2 %)")


def small_table():
    path, count = f"{work}/practice-small.sqlite", 20_000
    remove(path, path + "-wal", path + "-shm")
    write_items(f"{work}/items.jsonl", count, count // 100, value_bytes, 2)
    with practice(path, "-import", f"{work}/items.jsonl") as server:
        remove(f"{work}/items.jsonl")
        used, least = read_units(server)
        before = server.counts()["readUnits"]
        copied, _ = walk(server.port)
        assert copied == count, copied
        stock = server.counts()["readUnits"] - before
        print(f"read units on a table of {count:,} such entries: Sealift {used:,.0f} "
              f"(a bare scan's least {least:,}), the stock walk {stock:,.0f}: {stock / used:.1f} times as many\n")


def moto_table():
    # So many directories that the walk takes the recorded run's number of requests.
    count, directories = 4836, 1397
    with moto() as server:
        client = Client(server.port)
        client.call("CreateTable", TableName=table, BillingMode="PAY_PER_REQUEST",
                    KeySchema=[{"AttributeName": name, "KeyType": role}
                               for name, role in (("Path", "HASH"), ("Key", "RANGE"))],
                    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Path", "Key")])
        made = list(items(count, directories, vault_value_bytes, 3))
        for start in range(0, len(made), 25):
            requests = [{"PutRequest": {"Item": attributes(*item)}} for item in made[start:start + 25]]
            client.call("BatchWriteItem", RequestItems={table: requests})
        before = server.requests()
        copied, stock = walk(server.port)
        assert copied == count, copied
        stock_requests = server.requests() - before
        own = []
        for _ in range(runs):
            before = server.requests()
            report, seconds, *_ = migrate(server.port)
            assert report["proven"] == count, report
            own.append(seconds)
            logged, told = server.requests() - before, sum(report["source_service"]["requests"].values())
        mine = statistics.median(own)
        print(f"moto -> raft, {count:,} entries of {vault_value_bytes} bytes in {directories} directories:")
        print(f"    Sealift: {mine:.2f} s ({min(own):.2f}-{max(own):.2f}), {logged} requests in moto's log, {told} in "
              "its report (budget 20)")
        print(f"    the stock walk, ten at a time: {stock:.1f} s, {stock_requests:,} requests (a recorded run of the "
              "stock command: 164 s, 6,239 requests)")
        print(f"    ratio: {stock / mine:.0f} (budget 30)\n")


os.makedirs(work, exist_ok=True)
subprocess.run([pages], check=True)
print(flush=True)
large_table()
small_table()
moto_table()
