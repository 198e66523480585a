#!/usr/bin/env python3
"""Each tool that is installed has a page in docs/man/, which names the options of its --help and no others, and which
mandoc finds nothing wrong with. Arguments: source root, tools. Prints TAP."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

if len(sys.argv) < 3:
    sys.exit(__doc__)
manuals = pathlib.Path(sys.argv[1]) / "docs/man"
tools = {pathlib.Path(path).name: path for path in sys.argv[2:]}
required = os.environ.get("CI", "") not in ("", "false")
cases = 0
ok = True


def report(name, problems, skip=""):
    global cases, ok
    cases += 1
    ok &= not problems
    for problem in problems:
        print(f"{name}: {problem}", file=sys.stderr)
    print(("not ok" if problems else "ok") + f" {cases} - manuals: {name}" + (f" # SKIP {skip}" if skip else ""), flush=True)


def output(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60).stdout


def options_of_help(tool):
    """Such as "-l, --listen ADDRESS"."""
    return set(re.findall(r"^ +((?:-\w, )?--[\w-]+(?: [A-Z][A-Z=]*)?)(?=\s|$)", output(tool, "--help"), flags=re.M))


def options_of_page(text):
    for item in re.findall(r"^\.It (Fl .*)$", text, flags=re.M):
        yield re.sub(r"\bFl ", "-", item).replace(" ,", ",").replace("Ar ", "")


pages = {page.stem: page for page in manuals.glob("*.1")}
report("a page for each tool", [f"{name} has only one of both" for name in sorted(set(tools) ^ set(pages))])
for name in sorted(set(tools) & set(pages)):
    told, written = options_of_help(tools[name]), list(options_of_page(pages[name].read_text(encoding="utf-8")))
    report(f"{name} has the options of --help",
           ["--help names no options"] * (not told)
           + [f"the page lacks {one}" for one in sorted(told - set(written))]
           + [f"--help lacks {one}" for one in sorted(set(written) - told)]
           + [f"the page has {one} twice" for one in sorted(set(written)) if written.count(one) > 1])

mandoc = shutil.which("mandoc")
if mandoc:
    complaints = output(mandoc, "-T", "lint", "-W", "warning", *map(str, sorted(pages.values())))
    report("mandoc has no complaints", complaints.splitlines())
else:
    report("mandoc has no complaints", ["mandoc is required"] if required else [],
           "" if required else "mandoc is not installed")
print(f"1..{cases}")
sys.exit(not ok)
