"""A migration between two small stores in a folder of its own, to be cut off in many ways: what must hold of the two sides
then, and that the same command comes to its end.
"""
import base64
import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess

TABLE = "vault-dynamodb-backend"


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


def rows(database, copy):
    """All rows of a database, looked at in a copy: what a cut left is undone there."""
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


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Trial:
    """One pair of stores in a folder of its own."""

    def __init__(self, program, folder, pair):
        self.program, self.pair = program, pair
        self.kind, self.target, *manner = pair.split("-")
        self.is_kept, self.is_plain = bool(manner), manner == ["plain"]
        self.folder = os.path.realpath(f"{folder}/{pair}")
        self.work = f"{self.folder}/work"
        self.source = f"{self.work}/src" + (".db" if self.kind == "sqlite" else "")
        self.destination = f"{self.work}/dst" + (".db" if self.target == "sqlite" else "")
        os.makedirs(self.work)
        if self.is_kept:
            os.mkdir(self.destination, 0o700)
            with open(f"{self.destination}/node-id", "w") as file:
                file.write("kept")
        self.server = None
        # Where a table is, at whichever side.
        self.endpoint = f"127.0.0.1:{free_port()}"
        self.entries = self._entries()
        self._make_source()
        self.configuration = f"{self.folder}/migrate.hcl"
        self._write_configuration(self.configuration, self.kind, self.source, self.target, self.destination)
        self.before = tree(self.source) if self.kind != "dynamodb" else {}
        shutil.copytree(self.work, f"{self.folder}/first", symlinks=True)
        self.digest = self.checksum("source")
        # The files of a directory that is whole; without them only its digest is looked at.
        self.whole = None

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
            self._serve("-import", files)
        elif self.kind != "file":
            made = f"{self.folder}/make.hcl"
            self._write_configuration(made, "file", files, self.kind, self.source)
            self.sealift("operator", "migrate", "-config", made, "-state-dir", f"{self.folder}/state")

    def _serve(self, *more):
        if self.server:
            self.server.kill()
            self.server.wait()
        self.server = subprocess.Popen(
            [self.program, "practice-table", "-address", self.endpoint, *more], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        demand(any("listening on " in line for line in self.server.stdout), "the practice table does not start")

    def _block(self, name, kind, place):
        if kind == "dynamodb":
            return (f'{name} "dynamodb" {{\n  table = "{TABLE}"\n  endpoint = "http://{self.endpoint}"\n'
                    '  access_key = "AKIATEST"\n  secret_key = "test"\n  create_table = "on-demand"\n}\n')
        node = '  node_id = "node1"\n' if kind == "raft" and not self.is_kept else ""
        return f'{name} "{kind}" {{\n  path = "{place}"\n{node}}}\n'

    def _write_configuration(self, path, source, source_path, target, target_path):
        with open(path, "w") as file:
            file.write(self._block("storage_source", source, source_path))
            file.write(self._block("storage_destination", target, target_path))
            file.write('cluster_addr = "https://10.0.0.11:8201"\n')

    def sealift(self, *words, more=None):
        environment = {"HOME": f"{self.work}/home", "PATH": "/usr/bin:/bin", **(more or {})}
        return subprocess.run([self.program, *words], env=environment, capture_output=True, text=True, timeout=120)

    def checksum(self, side):
        outcome = self.sealift("checksum", "-config", self.configuration, f"-side={side}", "-digest-only")
        demand(outcome.returncode == 0, f"checksum of the {side}: {outcome.stderr}")
        return outcome.stdout.split("# keyspace digest: ")[1].strip()

    def start_over(self):
        """Brings the folder, and a table at the destination, back to what they were before the first run."""
        for name in os.listdir(self.work):
            path = f"{self.work}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        shutil.copytree(f"{self.folder}/first", self.work, symlinks=True, dirs_exist_ok=True)
        if self.target == "dynamodb":
            self._serve()

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
            found = rows(self.source, f"{self.folder}/copy")
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
            return "whole" if self.whole in (None, tree(self.destination)) else "half"
        if self.target == "sqlite":
            if not os.path.exists(self.destination):
                return "absent"
            found = rows(self.destination, f"{self.folder}/copy")
            if b"core/migration" in found:
                return "guarded"
            expected = {key.encode(): value for key, value in self.entries.items()}
            return "absent" if not found else "whole" if found == expected else "half"
        if self.target == "dynamodb":
            return self._state_of_table()
        found = {name: data for name, data in tree(self.destination).items() if os.path.basename(name).startswith("_")}
        if found.get("core/_migration", b"").endswith(b"}\n"):
            return "guarded"
        return "absent" if not found else "whole" if found == self.files else "half"

    def _state_of_table(self):
        with open(f"{self.folder}/table.hcl", "w") as file:
            file.write(self._block("storage", "dynamodb", ""))
        if self.sealift("inspect", "stat", "-config", f"{self.folder}/table.hcl", "core/migration").returncode == 0:
            return "guarded"
        said = self.sealift("checksum", "-config", f"{self.folder}/table.hcl", "-digest-only")
        if "# entries: 0" in said.stdout or "does not exist" in said.stderr:
            return "absent"
        return "whole" if self.digest in said.stdout else "half"

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

    def end(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
        shutil.rmtree(self.folder)
