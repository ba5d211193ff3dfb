"""Cuts the power in the middle of migrations: ends a run before one of its calls, makes the folder what a disk could hold of it
(disk_model.py), and demands that the source is as it was, that the destination is absent, guarded or whole, that what was told
is true, and that the same command then comes to its end with the same entries. Some runs are cut off more than once.

usage: power_loss.py SEALIFT RECORDER FOLDER STATES SEED [PAIR …]

STATES is how many states of each pair are tried; a failure prints what to call to see it again. Then lies are told: disks that
leave out one sync must be found out, or the checks prove nothing.
"""
import concurrent.futures
import os
import random
import sys

from disk_model import MODES, Disk
from migration_trial import Broken, Trial, demand, tree

# Source and destination. A directory that is there already is exchanged for the new one (kept), or filled (plain).
PAIRS = [
    "file-raft", "file-raft-kept", "file-raft-plain", "raft-raft", "file-sqlite", "sqlite-file", "dynamodb-raft",
    "dynamodb-file",
]
# Of each pair: what a disk leaves out, and how that shows.
LIES = [
    ("file-raft", "/node/vault.db", "is half"), ("file-raft", "/node/raft/raft.db", "is half"),
    ("file-raft", "/node", "is half"), ("file-raft", "/work:-building", "is absent"), ("raft-raft", "/node/vault.db", "is half"),
    ("file-raft-plain", "/work/dst", "is half"), ("file-sqlite", "/dst.db", "not a database"),
    ("sqlite-file", "syncfs", "is half"), ("sqlite-file", "/dst/core", "is half"),
]


class CutTrial(Trial):
    def __init__(self, program, recorder, folder, pair):
        super().__init__(program, folder, pair)
        self.recorder, self.log = recorder, f"{self.folder}/log"
        self.start_over()
        self.calls, _ = self.run_until(None)
        self.whole = tree(self.destination)

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

    def attempt(self, seed, lie=None):
        """One state, or a few of them, one after the other."""
        generator = random.Random(f"{self.pair} {seed}")
        self.start_over()
        story = []
        for number in range(1 if lie else generator.choice((1, 1, 1, 2, 3))):
            # As many states as there are calls begin with a cut before every one of them.
            cut = generator.randint(1, self.calls + 2) if number else 1 + seed * 7919 % (self.calls + 2)
            if lie:
                # What is not synced shows towards the end.
                cut = self.calls + 2 - seed % (self.calls // 2)
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


def try_pair(program, recorder, folder, states, seed, pair):
    """Tries the states of one pair, and the lies. Gives what is to be said, and whether all is well."""
    trial = CutTrial(program, recorder, folder, pair)
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
