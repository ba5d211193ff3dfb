"""What the measurements of migrations share."""
import os
import shutil
import subprocess
import sys
import time


def block(side, kind, **options):
    """A stanza of a migration's file."""
    body = "".join(f'  {name} = "{value}"\n' for name, value in options.items())
    return f'storage_{side} "{kind}" {{\n{body}}}\n'


def remove(*paths):
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
        if os.path.exists(path):
            os.unlink(path)


def timed(command, clean, **options):
    """Seconds and the peak memory of the largest process, MiB. What it makes is removed before and afterwards, so that
    both sides of a pair find the same free memory and disk."""
    remove(*clean)
    subprocess.run(["sync"], check=True)
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begin
    if status != 0:
        sys.exit(f"{command} ended with {status}")
    return seconds, usage.ru_maxrss / 1024
