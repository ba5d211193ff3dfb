"""Fills the disk while a migration runs: halts it before one of its changes, takes all room there is but a little, bytes or names
of files, and lets it go on. Demands that it ends with an error that says where there is no room and what to do, or is done all
the same; that nothing half can be taken for whole; and that the same command comes to its end once there is room. Then disks
that are too small from the beginning. To be run in a space of mounts of its own, as root there.

usage: full_disk.py SEALIFT STEPS FOLDER STRIDE SEED PAIR [ext4]

With ext4 the disk is an image of that file system, which root alone may mount; else a tmpfs.
"""
import collections
import os
import random
import re
import signal
import subprocess
import sys

from migration_trial import Broken, Trial, demand

SIZE = 24 << 20
NAMES = 600
# What stays free, in bytes.
REST = (0, 0, 4 << 10, 16 << 10, 64 << 10, 256 << 10)


class FullTrial(Trial):
    def __init__(self, program, steps, folder, pair, file_system):
        super().__init__(program, folder, pair)
        self.library, self.file_system = steps, file_system
        if file_system == "ext4":
            image = f"{self.folder}/image"
            with open(image, "wb") as file:
                file.truncate(SIZE)
            subprocess.run(["/sbin/mkfs.ext4", "-q", "-m", "0", "-N", str(NAMES), image], check=True)
            subprocess.run(["mount", "-o", "loop", image, self.work], check=True)
            os.rmdir(f"{self.work}/lost+found")
        else:
            options = f"size={SIZE},nr_inodes={NAMES}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.work], check=True)
        self.filler = f"{self.work}/filler"

    def migrate(self, **settings):
        environment = {"HOME": f"{self.work}/home", "PATH": "/usr/bin:/bin", "LD_PRELOAD": self.library,
                       "STEPS_KIND": "all", **settings}
        with open(f"{self.folder}/out", "w") as out, open(f"{self.folder}/err", "w") as errors:
            return subprocess.Popen([self.program, "operator", "migrate", "-config", self.configuration],
                                    env=environment, stdout=out, stderr=errors)

    def count(self):
        self.start_over()
        total = f"{self.folder}/total"
        demand(self.migrate(STEPS_TOTAL=total).wait() == 0, "an undisturbed run fails")
        with open(total) as file:
            return int(file.read())

    def fill(self, rest):
        os.mkdir(self.filler)
        if rest is None:
            # Names: a file each, until there is none left.
            try:
                for number in range(NAMES):
                    os.close(os.open(f"{self.filler}/{number}", os.O_CREAT, 0o600))
            except OSError:
                return
        free = os.statvfs(self.work)
        with open(f"{self.filler}/bytes", "wb", buffering=0) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_frsize - rest, 1))
            except OSError:
                pass

    def make_room(self):
        if os.path.exists(self.filler):
            for name in os.listdir(self.filler):
                os.unlink(f"{self.filler}/{name}")
            os.rmdir(self.filler)

    def judge(self, code):
        """Looks at how a run ended that had too little room. Gives the place that the error names."""
        with open(f"{self.folder}/out") as out, open(f"{self.folder}/err") as errors:
            said, problem = out.read(), errors.read()
        demand(code in (0, 2), f"exit code {code}: {problem}")
        demand((code == 0) == ("Success!" in said), f"exit code {code}: {said}")
        self.make_room()
        remark = ""
        if code == 0 and "could not be removed from the source" in said:
            # A marker in a database goes only where there is room; the run is done and says how to go on.
            remark = ", with a marker left at the source"
            reset = self.sealift("operator", "migrate", "-config", self.configuration, "-reset")
            demand(reset.returncode == 0, f"-reset: {reset.stderr}")
        self.check(is_done=code == 0)
        if code == 0:
            return "done" + remark + (", without a report" if "The report could not be written" in said else "")
        lines = [line for line in problem.splitlines() if re.search("[Nn]o space left|has .* free", line)]
        demand(lines, f"the error does not say that there is no room: {problem}")
        text = problem[problem.index("Error migrating"):]
        demand(re.search("[Mm]ake room|[Ff]ree some space|TMPDIR|-state-dir", text), f"no advice: {text}")
        demand(self.work in text, f"no place: {text}")
        return re.sub(r"[0-9a-f]{16}", "JOB", re.sub(r"[0-9.]+ [KM]iB|[0-9]+ B|-\d+-\d+", "N", text.replace(self.work, "")))

    def attempt(self, step, rest):
        self.start_over()
        run = self.migrate(STEPS_STOP=str(step))
        _, status = os.waitpid(run.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            self.fill(rest)
            run.send_signal(signal.SIGCONT)
            _, status = os.waitpid(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        place = self.judge(run.returncode)
        if run.returncode:
            self.complete()
        return place

    def attempt_with(self, size):
        """A disk of that size from the beginning."""
        self.start_over()
        free = os.statvfs(self.work)
        # What the source takes is there already.
        used = (free.f_blocks - free.f_bfree) * free.f_frsize
        self.remount(used + size)
        code = self.migrate().wait()
        place = self.judge(code)
        self.remount(SIZE)
        if code:
            self.complete()
        return place

    def remount(self, size):
        if self.file_system == "ext4":
            return
        subprocess.run(["mount", "-o", f"remount,size={size},nr_inodes={NAMES}", self.work], check=True)

    def end(self):
        self.start_over()
        subprocess.run(["umount", self.work], check=True)
        super().end()


def main():
    program, steps, folder = (os.path.abspath(word) for word in sys.argv[1:4])
    stride, seed, pair = int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]
    file_system = sys.argv[7] if len(sys.argv) > 7 else "tmpfs"
    trial = FullTrial(program, steps, folder, pair, file_system)
    total = trial.count()
    generator = random.Random(f"{pair} {seed}")
    places, broken = collections.Counter(), 0
    trials = [(f"full before change {step}", trial.attempt, (step, generator.choice((None, *REST))))
              for step in range(1 + seed % stride, total + 1, stride)]
    if file_system == "tmpfs":
        trials += [(f"{size} bytes", trial.attempt_with, (size,))
                   for size in sorted(generator.randrange(4 << 10, 3 << 20, 4 << 10) for _ in range(40 // stride + 1))]
    for name, attempt, words in trials:
        try:
            places[attempt(*words)] += 1
        except Broken as error:
            broken += 1
            trial.make_room()
            trial.remount(SIZE)
            print(f"{pair}: seed {seed}, {name} {words[1:]}: {error}", flush=True)
    trial.end()
    print(f"{pair} on {file_system}: {total} changes, {len(trials)} full disks, {broken} broken; how runs ended:")
    for place, number in sorted(places.items()):
        print(f"{number:6}  {place.strip()}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
