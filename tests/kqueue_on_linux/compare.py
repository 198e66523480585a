#!/usr/bin/env python3
"""Does the emulation answer what a FreeBSD 13.2 kernel answered? Arguments: a probe, the transcript of what it printed
there, and the argument that it was given or "". Prints TAP, one case for each section; lines that differ go to stderr."""
import difflib
import errno
import os
import re
import subprocess
import sys
import tempfile

# What need not be equal, and what is put in its place. At most ten.
PATTERNS = [
    (r"\d+\.\d+ (ms|us)", "TIME"),
    (r"0x[0-9a-f]{7,}", "ADDRESS"),  # of an aiocb
    (r"id=\d+ (READ|WRITE)", r"id=DESCRIPTOR \1"),
    (r"new fd \d+ \(old \d+\)", "new fd DESCRIPTOR"),
    (r"(WRITE\S* fflags=\S+ data=)[1-9]\d*", r"\1SIZE"),  # room in a socket's buffer
    (r"filled \d+ bytes", "filled SIZE"),  # the buffers of two sockets
]

# Not of the emulation: calls that the backend does not use, and what the kernel itself wrote to FreeBSD's console.
EXEMPT_SECTIONS = ["[TIMER]"]
EXEMPT_LINES = [r"  lio_listio ", r"  lio  ", r"pid \d+ "]

# Errors are compared by name, wherever their numbers are printed.
ERROR = re.compile(r"((?:\b(?:errno|rc|again|aio_error|pending|SO_ERROR|E[A-Z]+)[= ]|\|EOF\S* fflags=|"
                   r"\|ERROR fflags=0 data=|f=-3 \S+ \S+ data=))(0x[0-9a-f]+|\d+)")
FREEBSD = {2: "ENOENT", 9: "EBADF", 14: "EFAULT", 22: "EINVAL", 35: "EAGAIN", 36: "EINPROGRESS",
           45: "EOPNOTSUPP", 54: "ECONNRESET", 61: "ECONNREFUSED", 85: "ECANCELED"}
LINUX = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP"}


def normal(line, errors):
    def name(match):
        number = int(match[2], 0)
        return match[1] + (errors.get(number, f"error {number}") if number else "0")

    line = ERROR.sub(name, line)
    for pattern, instead in PATTERNS:
        line = re.sub(pattern, instead, line)
    return line


def sections(text, errors):
    found = {}
    name = "[SYSCTL]"
    for line in map(str.rstrip, text.splitlines()):
        if any(re.match(exempt, line) for exempt in EXEMPT_LINES):
            continue
        if line.startswith("["):
            name = line
        if name not in EXEMPT_SECTIONS:
            found.setdefault(name, []).append(normal(line, errors))
    return found


probe, transcript, argument = sys.argv[1:4]  # behind them is what `meson test --test-args` adds
with tempfile.TemporaryDirectory() as folder:
    printed = subprocess.run([os.path.abspath(probe), *argument.split()], cwd=folder, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=100)
ours = sections(printed.stdout, LINUX)
with open(transcript, encoding="utf-8") as file:
    theirs = sections(file.read(), FREEBSD)

cases = {"the probe ends well": printed.returncode == 0, "at most ten patterns": len(PATTERNS) <= 10,
         "the same sections": list(ours) == list(theirs)}
for section, lines in theirs.items():
    answered = ours.get(section, [])
    cases[f"{section}, {len(lines)} lines"] = answered == lines
    sys.stderr.writelines(line + "\n" for line in difflib.unified_diff(
        lines, answered, "FreeBSD " + section, "emulation " + section, n=1, lineterm=""))
for number, (what, good) in enumerate(cases.items(), 1):
    print(f"{'ok' if good else 'not ok'} {number} - kqueue: {what}")
print(f"1..{len(cases)}")
sys.exit(not all(cases.values()))
