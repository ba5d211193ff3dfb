"""Runs a program on a terminal of its own and types what is in a file, a line whenever the program asks; or interrupts it.

usage: type_shares.py FILE|interrupt PROGRAM [ARGUMENT...]
"""
import os
import pty
import select
import sys
import termios
import time

source, words = sys.argv[1], sys.argv[2:]
lines = [] if source == "interrupt" else open(source).read().split("\n")
process, terminal = pty.fork()
if process == 0:
    os.execv(words[0], words)
before = termios.tcgetattr(terminal)[3] & termios.ECHO
seen = b""
asked = 0
limit = time.monotonic() + 100
while time.monotonic() < limit:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    if seen.count(b"(nothing is shown): ") > asked:
        # The echo is off before the question is there.
        if termios.tcgetattr(terminal)[3] & termios.ECHO:
            print("ECHO IS ON")
        if source == "interrupt":
            os.write(terminal, b"\x03")
        else:
            os.write(terminal, lines[asked].encode() + b"\n")
        asked += 1
try:
    after = termios.tcgetattr(terminal)[3] & termios.ECHO
except termios.error:
    after = before
status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
print(seen.decode(errors="replace"))
print(f"exit code {status}")
print("echo before and after" if before and after else "the terminal is left without echo")
