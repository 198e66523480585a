#!/usr/bin/env python3
"""Each public method that belongs to the proactor's thread is tried on a foreign one: the table in
tests/contract/foreign_threads_test.cpp against the headers. Argument: source root. Prints TAP."""
import pathlib
import re
import sys

if len(sys.argv) != 2:
    sys.exit(__doc__)
root = pathlib.Path(sys.argv[1])

classes = {
    "proactor.hpp": ["Proactor", "KeepAlive"],
    "handler.hpp": ["Handler"],
    "stream_handler.hpp": ["StreamHandler"],
    "accept_handler.hpp": ["AcceptHandler"],
    "datagram_handler.hpp": ["DatagramHandler"],
    "file_handler.hpp": ["FileHandler"],
    "timer_handler.hpp": ["TimerHandler"],
    "notifier.hpp": ["Notifier"],
    "signal_handler.hpp": ["SignalHandler"],
    "server.hpp": ["ServerBase"],
    "worker_pool.hpp": ["WorkerPool"],
}
# For any thread (R9), or they say nothing to the proactor: see the contract.
exempt = {"Proactor::stop", "Proactor::post", "Proactor::system", "Proactor::core", "Notifier::notify",
          "Proactor::create"}


def public_methods(text, name):
    """Names of the public methods of a class that are not const, its own constructors aside."""
    body = re.search(r"^class " + name + r"\b[^;{]*\{(.*?)^\};", text, re.S | re.M)[1]
    body = re.sub(r"//[^\n]*", "", body)
    public = body.split("public:", 1)[1]
    public = re.split(r"^ (?:protected|private):", public, flags=re.M)[0]
    public = re.sub(r"^ {4,}.*\n", lambda m: m[0].lstrip(" "), public, flags=re.M)
    for statement in re.split(r"^(?=  \S)", public, flags=re.M):
        flat = " ".join(statement.split())
        found = re.match(r"(?!using |struct |enum |friend |static constexpr )[^(=]*?([~\w]+)\((.*)", flat)
        if not found or "= delete" in flat or "deprecated" in flat:
            continue
        method, rest = found[1], found[2]
        signature = re.split(r"[{;]", rest)[0]
        if method == name or re.search(r"\)\s*const\b", signature):
            continue
        yield f"{name}::{method}"


test = (root / "tests/contract/foreign_threads_test.cpp").read_text(encoding="utf-8")
tried = set(re.findall(r'^\s+\{"(\w+::~?\w+)", \[\]\(Cast', test, re.M))
missing = []
for header, names in classes.items():
    text = (root / "include/proa" / header).read_text(encoding="utf-8")
    for name in names:
        missing += [m for m in public_methods(text, name) if m not in tried and m not in exempt]
for one in sorted(set(missing)):
    print(f"{one}() is not in the table of tests/contract/foreign_threads_test.cpp", file=sys.stderr)
print(("not ok" if missing else "ok") + " 1 - style: every verb is tried on a foreign thread\n1..1")
sys.exit(1 if missing else 0)
