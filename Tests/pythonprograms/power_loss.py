"""Cuts the power in the middle of migrations: ends a run before one of its calls, makes the folder what a disk could hold of it
(disk_model.py), and demands that the source is as it was, that the destination is absent, guarded or whole, that what was told
is true, and that the same command then comes to its end with the same entries. Some runs are cut off more than once.

usage: power_loss.py SEALIFT RECORDER FOLDER STATES SEED [PAIR …]

STATES is how many states of each pair are tried; a failure prints what to call to see it again. Then lies are told: disks that
leave out one sync must be found out, or the checks prove nothing.
"""
import base64
import concurrent.futures
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

from disk_model import MODES, Disk

TABLE = "vault-dynamodb-backend"
# Source and destination. A directory that is there already is exchanged for the new one (kept), or filled (plain).
PAIRS = [
    "file-raft", "file-raft-kept", "file-raft-plain", "raft-raft", "file-sqlite", "sqlite-file", "dynamodb-raft",
    "dynamodb-file",
]
# Of each pair: what a disk leaves out, and how that shows.
LIES = [
    ("file-raft", "/node/vault.db", "is half"), ("file-raft", "/node/raft/raft.db", "is half"),
    ("file-raft", "/node", "is half"), ("file-raft", "/work", "is absent"), ("raft-raft", "/node/vault.db", "is half"),
    ("file-raft-plain", "/work/dst", "is half"), ("file-sqlite", "/dst.db", "not a database"),
    ("sqlite-file", "syncfs", "is half"), ("sqlite-file", "/dst/core", "is half"),
]


class Broken(Exception):
    pass


def demand(condition, message):
    if not condition:
        raise Broken(message)


def tree(path, leaves_out=()):
    """The bytes of all files below a path, by name."""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            return {"": file.read()}
    found = {}
    for folder, _, files in os.walk(path):
        for name in files:
            shown = os.path.relpath(f"{folder}/{name}", path)
            if shown not in leaves_out:
                with open(f"{folder}/{name}", "rb") as file:
                    found[shown] = file.read()
    return found


def rows(database):
    """All rows of a database, looked at in a copy: what a cut left is undone there."""
    copy = database + "-copy"
    for end in ("", "-journal", "-wal"):
        if os.path.exists(database + end):
            shutil.copyfile(database + end, copy + end)
    try:
        connection = sqlite3.connect(copy)
        demand(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], f"{database} is damaged")
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'vault_kv_store'").fetchall()
        found = dict(connection.execute("SELECT key, value FROM vault_kv_store")) if tables else {}
        connection.close()
        return found
    except sqlite3.DatabaseError as error:
        raise Broken(f"{database}: {error}") from error
    finally:
        for end in ("", "-journal", "-wal", "-shm"):
            if os.path.exists(copy + end):
                os.unlink(copy + end)


class Trial:
    """One pair of stores in a folder of its own."""

    def __init__(self, program, recorder, folder, pair):
        self.program, self.recorder, self.pair = program, recorder, pair
        self.kind, self.target, *manner = pair.split("-")
        self.is_kept, self.is_plain = bool(manner), manner == ["plain"]
        self.folder = os.path.realpath(f"{folder}/{pair}")
        self.work = f"{self.folder}/work"
        self.log = f"{self.folder}/log"
        self.source = f"{self.work}/src" + (".db" if self.kind == "sqlite" else "")
        self.destination = f"{self.work}/dst" + (".db" if self.target == "sqlite" else "")
        os.makedirs(self.work)
        if self.is_kept:
            os.mkdir(self.destination, 0o700)
            with open(f"{self.destination}/node-id", "w") as file:
                file.write("kept")
        self.server, self.endpoint = None, ""
        self.entries = self._entries()
        self._make_source()
        self.configuration = f"{self.folder}/migrate.hcl"
        self._write_configuration(self.configuration, self.kind, self.source, self.target, self.destination)
        self.before = tree(self.source) if self.kind != "dynamodb" else {}
        shutil.copytree(self.work, f"{self.folder}/first", symlinks=True)
        self.digest = self.checksum("source")
        self.start_over()
        self.calls, _ = self.run_until(None)
        self.whole = tree(self.destination)

    @staticmethod
    def _entries():
        generator = random.Random(7)
        names = ["core/keyring", "core/seal-config", "sys/policy/a", "sys/policy/b", "logical/1/x", "logical/1/y.temp", "z"]
        found = {name: generator.randbytes(generator.choice((40, 900, 5000))) for name in names}
        for number in range(8):
            found[f"logical/2/{number}"] = generator.randbytes(3000)
        return found

    def _make_source(self):
        files = self.source if self.kind == "file" else f"{self.folder}/files"
        for key, value in self.entries.items():
            head, _, leaf = key.rpartition("/")
            os.makedirs(f"{files}/{head}", 0o700, exist_ok=True)
            with open(f"{files}/{head}/_{leaf}", "w") as file:
                file.write(json.dumps({"Value": base64.b64encode(value).decode()}, separators=(",", ":")) + "\n")
        self.files = tree(files)
        if self.kind == "dynamodb":
            self._serve(files)
        elif self.kind != "file":
            made = f"{self.folder}/make.hcl"
            self._write_configuration(made, "file", files, self.kind, self.source)
            self.sealift("operator", "migrate", "-config", made, "-state-dir", f"{self.folder}/state")

    def _serve(self, files):
        self.server = subprocess.Popen(
            [self.program, "practice-table", "-address", "127.0.0.1:0", "-import", files], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        for line in self.server.stdout:
            if "listening on " in line:
                self.endpoint = line.split("listening on ")[1].split()[0]
                return
        raise SystemExit("the practice table does not start")

    def _write_configuration(self, path, source, source_path, target, target_path):
        def block(name, kind, place):
            if kind == "dynamodb":
                return (f'{name} "dynamodb" {{\n  table = "{TABLE}"\n  endpoint = "{self.endpoint}"\n'
                        '  access_key = "AKIATEST"\n  secret_key = "test"\n}\n')
            node = '  node_id = "node1"\n' if kind == "raft" and not self.is_kept else ""
            return f'{name} "{kind}" {{\n  path = "{place}"\n{node}}}\n'

        with open(path, "w") as file:
            file.write(block("storage_source", source, source_path) + block("storage_destination", target, target_path))
            file.write('cluster_addr = "https://10.0.0.11:8201"\n')

    def sealift(self, *words, more=None):
        environment = {"HOME": f"{self.work}/home", "PATH": "/usr/bin:/bin", **(more or {})}
        return subprocess.run([self.program, *words], env=environment, capture_output=True, text=True, timeout=120)

    def checksum(self, side):
        outcome = self.sealift("checksum", "-config", self.configuration, f"-side={side}", "-digest-only")
        demand(outcome.returncode == 0, f"checksum of the {side}: {outcome.stderr}")
        return outcome.stdout.split("# keyspace digest: ")[1].strip()

    def start_over(self):
        shutil.rmtree(self.work)
        shutil.copytree(f"{self.folder}/first", self.work, symlinks=True)

    def run_until(self, cut, lie=None):
        """Runs the migration, cut off before a call.

        Gives the number of calls and the disk as it is then."""
        disk = Disk(self.work)
        if os.path.exists(self.log):
            os.unlink(self.log)
        more = {"LD_PRELOAD": self.recorder, "RECORD_ROOT": self.work, "RECORD_LOG": self.log}
        settings = {"RECORD_CUT": cut and str(cut), "RECORD_LIE": lie, "RECORD_PLAIN": "1" if self.is_plain else None}
        more.update({name: value for name, value in settings.items() if value})
        outcome = self.sealift("operator", "migrate", "-config", self.configuration, more=more)
        demand(outcome.returncode in ((0, -9) if cut else (0,)), f"exit code {outcome.returncode}: {outcome.stderr}")
        disk.replay(self.log)
        return disk.count, disk

    def check(self, is_done):
        """Looks at what the power cut left."""
        self.check_source(is_done)
        state = self.state()
        demand(state in (("whole",) if is_done else ("absent", "guarded", "whole")), f"the destination is {state}")
        if state == "whole":
            demand(self.checksum("destination") == self.digest, "the destination has another digest")

    def check_source(self, is_done):
        if self.kind == "dynamodb":
            return demand(self.checksum("source") == self.digest, "the source was changed")
        marker = "core/_migration"
        if self.kind == "sqlite":
            found = rows(self.source)
            marked = found.pop(b"core/migration", None)
            demand(found == {key.encode(): value for key, value in self.entries.items()}, "the source was changed")
        else:
            marked = os.path.exists(f"{self.source}/{marker}")
            found = tree(self.source, (marker, "core/.migration.temp"))
            demand(found == self.before, "the source was changed")
        demand(not (is_done and marked), "the source is guarded though success was told")

    def state(self):
        if self.target == "raft":
            # A server takes a directory without vault.db for an empty one.
            if self.is_kept:
                demand(os.path.exists(f"{self.destination}/node-id"), "the node-id that was there is gone")
            if not os.path.exists(f"{self.destination}/vault.db"):
                return "absent"
            return "whole" if tree(self.destination) == self.whole else "half"
        if self.target == "sqlite":
            if not os.path.exists(self.destination):
                return "absent"
            found = rows(self.destination)
            if b"core/migration" in found:
                return "guarded"
            expected = {key.encode(): value for key, value in self.entries.items()}
            return "absent" if not found else "whole" if found == expected else "half"
        found = {name: data for name, data in tree(self.destination).items() if os.path.basename(name).startswith("_")}
        if found.get("core/_migration", b"").endswith(b"}\n"):
            return "guarded"
        return "absent" if not found else "whole" if found == self.files else "half"

    def complete(self):
        """Runs the same command to its end."""
        outcome = self.sealift("operator", "migrate", "-config", self.configuration)
        demand(outcome.returncode == 0, f"run again: exit code {outcome.returncode}: {outcome.stderr}")
        demand(f"sha256:{self.digest}" in outcome.stdout, "run again: another digest")
        self.check(is_done=True)
        left = set(os.listdir(self.work)) - {"src", "src.db", "dst", "dst.db", "dst.sealift", "home"}
        demand(not left, f"left behind: {left}")
        if self.target == "file":
            names = set(tree(self.destination))
            demand(names == set(self.files), f"left behind: {names ^ set(self.files)}")

    def attempt(self, seed, lie=None):
        """One state, or a few of them, one after the other."""
        generator = random.Random(f"{self.pair} {seed}")
        self.start_over()
        story = []
        for number in range(generator.choice((1, 1, 1, 2, 3))):
            # As many states as there are calls begin with a cut before every one of them.
            cut = generator.randint(1, self.calls + 2) if number else 1 + seed * 7919 % (self.calls + 2)
            mode, salt = generator.choice(MODES), generator.getrandbits(32)
            story.append(f"cut before call {cut}, {mode}")
            try:
                _, disk = self.run_until(cut, lie)
                disk.build(mode, salt)
                self.check(disk.is_told)
            except Broken as error:
                raise Broken(f"{'; '.join(story)}: {error}") from error
            if disk.is_told:
                break
        try:
            # With nothing more to do, the run would find its own work there.
            if not disk.is_told:
                self.complete()
        except Broken as error:
            raise Broken(f"{'; '.join(story)}: {error}") from error
        return len(story)

    def end(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
        shutil.rmtree(self.folder)


def try_pair(program, recorder, folder, states, seed, pair):
    """Tries the states of one pair, and the lies. Gives what is to be said, and whether all is well."""
    trial = Trial(program, recorder, folder, pair)
    said, broken, cuts = [], 0, 0
    for number in range(seed, seed + states):
        try:
            cuts += trial.attempt(number)
        except Broken as error:
            broken += 1
            said.append(f"{pair}: seed {number}: {error}\n  see it again: scripts/try-power-loss 1 {number} {pair}")
    said.append(f"{pair}: {trial.calls} calls, {states} states behind {cuts} power cuts, {broken} broken")
    for place, lie, sign in LIES:
        if place == pair:
            found = found_out(trial, lie, sign, seed)
            said.append(f"{pair}: a disk that does not sync {lie} " + (found or "IS NOT FOUND OUT"))
            broken += not found
    trial.end()
    return said, not broken


def found_out(trial, lie, sign, seed):
    """How a disk that leaves a sync out is found out, if some state shows it."""
    for number in range(seed, seed + 300):
        try:
            trial.attempt(number, lie)
        except Broken as error:
            if sign in str(error):
                return f"is found out with seed {number}: {error}"
    return None


def main():
    program, recorder, folder = (os.path.abspath(word) for word in sys.argv[1:4])
    states, seed = int(sys.argv[4]), int(sys.argv[5])
    is_well = True
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        trials = [pool.submit(try_pair, program, recorder, folder, states, seed, pair) for pair in sys.argv[6:] or PAIRS]
        for trial in trials:
            said, is_pair_well = trial.result()
            print(*said, sep="\n", flush=True)
            is_well &= is_pair_well
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
