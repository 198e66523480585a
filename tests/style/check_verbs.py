#!/usr/bin/env python3
"""Each method for the program that belongs to the proactor's thread is tried on a foreign one, and each verb of a
handler has a row in its table of states: the table in tests/contract/foreign_threads_test.cpp and those in
docs/STATES.md against the headers. A verb with several overloads is tried as often on a foreign thread. And what is
private in a class to derive from has a name that hides none of the program's own.
Argument: source root. Prints TAP."""
import collections
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
    "reconnector.hpp": ["Reconnector"],
    "notifier.hpp": ["Notifier"],
    "signal_handler.hpp": ["SignalHandler"],
    "poll_handler.hpp": ["PollHandler"],
    "server.hpp": ["ServerBase"],
    "worker_pool.hpp": ["WorkerPool"],
    "owned_descriptor.hpp": ["OwnedDescriptor"],
    "stream_filter.hpp": ["StreamFilter"],
}
# Classes to derive from, whose verbs are for the derived class.
protected = {"StreamFilter"}
# For any thread (R9), or they say nothing to the proactor: see the contract.
exempt = {"Proactor::stop", "Proactor::post", "Proactor::system", "Proactor::core", "Notifier::notify",
          "Proactor::create", "OwnedDescriptor::~OwnedDescriptor"}


# What has no table of states in docs/STATES.md; and verbs that are as another one in every state.
stateless = {"Proactor", "KeepAlive", "Handler", "WorkerPool", "OwnedDescriptor", "StreamFilter"}
as_another = {"StreamHandler::writev", "FileHandler::writev"}


def public_methods(text, name):
    """Names of the methods of a class for the program that are not const, its own constructors aside."""
    body = re.search(r"^class (?:PROA_API )?" + name + r"\b[^;{]*\{(.*?)^\};", text, re.S | re.M)[1]
    body = re.sub(r"//[^\n]*", "", body)
    public = body.split("protected:" if name in protected else "public:", 1)[1]
    public = re.split(r"^ (?:protected|private):", public, flags=re.M)[0]
    if name in protected:
        public = re.sub(r"^  virtual [^;{]*[;{].*$", "", public, flags=re.M)
    public = re.sub(r"^ {4,}.*\n", lambda m: m[0].lstrip(" "), public, flags=re.M)
    for statement in re.split(r"^(?=  \S)", public, flags=re.M):
        flat = " ".join(statement.split())
        found = re.match(r"(?!using |struct |enum |friend |static constexpr )[^(=]*?([~\w]+)\((.*)", flat)
        if not found or "= delete" in flat:
            continue
        method, rest = found[1], found[2]
        signature = re.split(r"[{;]", rest)[0]
        if method == name or re.search(r"\)\s*const\b", signature):
            continue
        yield f"{name}::{method}"


def verbs_with_rows():
    """Those that the first column of a table names, below the handler that stands at its head."""
    states = (root / "docs/STATES.md").read_text(encoding="utf-8")
    for table in re.findall(r"(?:^\|.*\n)+", states, flags=re.M):
        cells = [row.split("|")[1].strip() for row in table.splitlines()]
        name = "ServerBase" if cells[0] == "Server" else cells[0]
        yield from (f"{name}::{verb}" for cell in cells[1:] for verb in re.findall(r"`(\w+)\(", cell))


# A name of a base class hides that of a namespace in the derived class, also if the derived class may not use it.
hiding_allowed = re.compile(r"\w+_|loop_\w+|on_\w+|notice_\w+")


def hiding_names(text, name):
    """Private functions, types and names of types of a class to derive from that a program may well have too."""
    word = name.removesuffix("Handler").removesuffix("Base") or name
    body = re.search(r"^class (?:PROA_API )?" + name + r"\b[^;{]*\{(.*?)^\};", text, re.S | re.M)[1]
    private = re.sub(r"//[^\n]*", "", body.split(" private:", 1)[1] if " private:" in body else "")
    for line in private.splitlines():
        if not re.match(r"  \S", line) or line.startswith("  friend "):
            continue
        found = (re.match(r"  (?:enum|struct|class|using)(?: class)? (\w+)\b(?! \w|[*:]\S|\*)", line)
                 or re.match(r"  [^(=]*?\b(\w+)\(", line))
        if found and not hiding_allowed.fullmatch(found[1]) and not found[1].startswith((word, "Handler")):
            yield f"{name}::{found[1]}"


test = (root / "tests/contract/foreign_threads_test.cpp").read_text(encoding="utf-8")
table = test[test.index("const Verb verbs[] = {"):]
table = table[:table.index("\n};")]
rows = [re.sub(r"\s+", "", row) for row in re.split(r'^(?=    \{")', table, flags=re.M)[1:]]
tried = collections.Counter(re.match(r'\{"(\w+::~?\w+)",', row)[1] for row in rows)
in_tables = set(verbs_with_rows()) | as_another
untried = [f"a row stands there twice: {row}" for row, times in collections.Counter(rows).items() if times > 1]
without_row = set()
hiding = []
for header, names in classes.items():
    text = (root / "include/proa" / header).read_text(encoding="utf-8")
    for name in names:
        hiding += hiding_names(text, name) if name not in {"Proactor", "KeepAlive"} else ()
        methods = collections.Counter(public_methods(text, name))
        untried += [f"{m}() has {tried[m]} rows of {times}" for m, times in methods.items()
                    if m not in exempt and tried[m] < times]
        if name not in stateless:
            without_row |= {m for m in methods if "~" not in m} - in_tables
for one in untried:
    print(f"tests/contract/foreign_threads_test.cpp: {one}", file=sys.stderr)
for one in sorted(without_row):
    print(f"{one}() has no row in docs/STATES.md", file=sys.stderr)
for one in hiding:
    print(f"{one} is private, and hides what a program has of that name in a class derived from it", file=sys.stderr)
print(("not ok" if untried else "ok") + " 1 - style: every verb is tried on a foreign thread")
print(("not ok" if without_row else "ok") + " 2 - style: every verb has a row in its table of states")
print(("not ok" if hiding else "ok") + " 3 - style: private names hide none of a program's own\n1..3")
sys.exit(1 if untried or without_row or hiding else 0)
