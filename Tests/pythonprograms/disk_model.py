"""What a power cut can leave of a folder, from the log that Tests/recorder/recorder.c wrote.

The model is weaker than any usual file system: what was synced before the cut is there; of all else each change is there or is
not, in any order. A rename is one change, and durable with a sync of either folder; a sync of a file says nothing of its name.
"""
import os
import random
import re
import shutil

PAGE = 4096
MODES = ("least", "most", "prefix", "names", "zeros", "data", "ordered", "subset", "pages")


class File:
    def __init__(self, content=b""):
        self.content = content
        self.changes = []  # Change with .offset and .bytes, or .size

    def bytes(self, chosen):
        data = bytearray(self.content)
        for change in self.changes:
            for offset, piece in change.pieces(chosen):
                if piece is None:
                    del data[offset:]
                    data.extend(bytes(offset - len(data)))
                    continue
                data.extend(bytes(max(0, offset - len(data))))
                if change.is_lost(chosen):
                    # Room that was taken and never written. What stood there before stands there still.
                    data.extend(bytes(max(0, offset + len(piece) - len(data))))
                else:
                    data[offset:offset + len(piece)] = piece
        return bytes(data)


class Folder:
    def __init__(self):
        self.now = {}  # as running programs see it
        self.first = {}  # as it was when the log began


class Change:
    """One change: bytes, a size, or names (folder, name, object or None)."""

    def __init__(self, number, offset=0, data=None, names=()):
        self.number, self.offset, self.data, self.names = number, offset, data, names
        self.is_durable = False

    def is_lost(self, chosen):
        return not self.is_durable and chosen(self, 0) == "zeros"

    def pieces(self, chosen):
        if self.data is None:
            return [(self.offset, None)] if self.is_durable or chosen(self, None) else []
        if self.is_durable:
            return [(self.offset, self.data)]
        found, start = [], 0
        while start < len(self.data):
            end = min(len(self.data), (self.offset + start) // PAGE * PAGE + PAGE - self.offset)
            if chosen(self, (self.offset + start) // PAGE):
                found.append((self.offset + start, self.data[start:end]))
            start = end
        return found


class Disk:
    """A folder as it is now, and all changes since that were not durable at once."""

    def __init__(self, root):
        self.root_path = root
        self.objects = {}  # by inode, which is used again
        self.things = []
        self.renames = []
        self.root = self._read(root)
        self.count = 0
        self.is_told = False

    def _read(self, path):
        info = os.lstat(path)
        if info.st_ino in self.objects:
            return self.objects[info.st_ino]
        if os.path.isdir(path):
            found = Folder()
            for name in os.listdir(path):
                found.first[name] = self._read(f"{path}/{name}")
            found.now = dict(found.first)
        else:
            with open(path, "rb") as file:
                found = File(file.read())
        return self._add(info.st_ino, found)

    def _add(self, inode, thing):
        self.objects[inode] = thing
        self.things.append(thing)
        thing.inode = inode
        return thing

    def _place(self, path):
        folder, parts = self.root, path[len(self.root_path) + 1:].split("/")
        for part in parts[:-1]:
            folder = folder.now[part]
        return folder, parts[-1]

    def _name(self, *names):
        self.renames.append(Change(self.count, names=names))
        for folder, name, thing in names:
            if thing is None:
                folder.now.pop(name, None)
            else:
                folder.now[name] = thing

    def replay(self, log):
        """Takes up all calls of a log."""
        with open(log, "rb") as file:
            while line := file.readline():
                what, count, one, other, *lengths = line.decode().split()
                texts = [file.read(int(length)) for length in lengths]
                # Calls that fail are counted and change nothing.
                self.count = int(count)
                self._take(what, int(one), int(other), texts[0].decode(), texts[1].decode(), texts[2])

    def _take(self, what, one, other, source, target, data):
        if what in ("create", "mkdir"):
            self._name((*self._place(source), self._add(one, File() if what == "create" else Folder())))
        elif what in ("write", "writesync"):
            change = Change(self.count, other, data)
            change.is_durable = what == "writesync"
            self.objects[one].changes.append(change)
        elif what == "truncate":
            self.objects[one].changes.append(Change(self.count, other))
        elif what in ("rename", "exchange", "link"):
            old, new = self._place(source), self._place(target)
            thing, other_thing = old[0].now[old[1]], new[0].now.get(new[1])
            moved = {"rename": ((*old, None),), "exchange": ((*old, other_thing),), "link": ()}[what]
            self._name(*moved, (*new, thing))
        elif what == "remove":
            self._name((*self._place(source), None))
        elif what == "sync":
            self._sync(self.objects[one])
        elif what == "syncall":
            for thing in self.things:
                self._sync(thing)
        elif what == "told":
            self.is_told = True
        elif what == "unknown" and not source.endswith("-shm"):
            raise SystemExit(f"the recorder does not know how {source} changes by {target}")

    def _sync(self, thing):
        if isinstance(thing, File):
            for change in thing.changes:
                change.is_durable = True
        for change in self.renames:
            if any(folder is thing for folder, _, _ in change.names):
                change.is_durable = True

    def choice(self, mode, seed):
        """Which changes that are not durable are there all the same: a function of a change and the page of its bytes."""
        generator = random.Random(seed)
        last = generator.randint(0, self.count)
        salt = generator.getrandbits(64)

        def coin(*what):
            return random.Random(f"{salt} {what}").random() < 0.5

        def chosen(change, page):
            is_name = bool(change.names)
            if mode == "prefix" or (mode == "ordered" and is_name):
                return change.number <= last
            if mode == "names":
                return is_name
            if mode == "zeros":
                return True if is_name or change.data is None else "zeros"
            if mode == "data":
                return not is_name
            if mode == "pages" and not is_name:
                return coin(change.number, page)
            if mode in ("subset", "ordered", "pages"):
                return coin(change.number)
            return mode == "most"

        return chosen

    def build(self, mode, seed):
        """Puts the state that a power cut leaves in the place of the folder."""
        chosen = self.choice(mode, seed)
        entries = {thing: dict(thing.first) for thing in self.things if isinstance(thing, Folder)}
        for change in self.renames:
            if not (change.is_durable or chosen(change, None)):
                continue
            for folder, name, thing in change.names:
                if thing is None:
                    entries[folder].pop(name, None)
                else:
                    entries[folder][name] = thing
        for name in os.listdir(self.root_path):
            path = f"{self.root_path}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        self._inodes = {}
        self._write(self.root, self.root_path, entries, chosen)
        self._renumber()

    def _write(self, folder, path, entries, chosen):
        for name, thing in entries[folder].items():
            below = f"{path}/{name}"
            if isinstance(thing, Folder):
                os.mkdir(below, 0o700)
                self._inodes[thing.inode] = os.stat(below).st_ino
                self._write(thing, below, entries, chosen)
            else:
                descriptor = os.open(below, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(descriptor, "wb") as file:
                    file.write(thing.bytes(chosen))

    def _renumber(self):
        """The mark of a building folder names an inode, which has another number now."""
        for folder, _, files in os.walk(self.root_path):
            if "sealift-building" in files:
                with open(f"{folder}/sealift-building", "r+b") as file:
                    text = file.read()
                    now = re.sub(rb"^moving (\d+)$", self._moved, text, flags=re.MULTILINE)
                    if now != text:
                        file.seek(0)
                        file.truncate()
                        file.write(now)

    def _moved(self, match):
        return b"moving %d" % self._inodes.get(int(match[1]), 0)
