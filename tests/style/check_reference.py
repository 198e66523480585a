#!/usr/bin/env python3
"""Doxygen makes the reference of include/proa, and finds nothing to warn of. Arguments: source root, folder for the
pages. Prints TAP."""
import os
import pathlib
import shutil
import subprocess
import sys

if len(sys.argv) != 3:
    sys.exit(__doc__)
root, pages = (pathlib.Path(path).resolve() for path in sys.argv[1:])
required = os.environ.get("CI", "") not in ("", "false")
name = "1 - style: the reference has no warnings"

print("1..1")
if not shutil.which("doxygen"):
    print(f"not ok {name}: doxygen is required" if required else f"ok {name} # SKIP doxygen is not installed")
    sys.exit(required)
shutil.rmtree(pages, ignore_errors=True)  # of headers that are gone
pages.mkdir(parents=True)
settings = (root / "docs/Doxyfile").read_text(encoding="utf-8") + f"""
OUTPUT_DIRECTORY = "{pages}"
FILTER_PATTERNS = *.hpp="{sys.executable} docs/doxygen_filter.py"
"""
doxygen = subprocess.run(["doxygen", "-"], cwd=root, input=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True)
made = (pages / "html/classproa_1_1Proactor.html").exists()
good = doxygen.returncode == 0 and made
print(("ok " if good else "not ok ") + name)
print(f"# {pages}/html/index.html")
if not good:
    # Each derived class complains of what it inherits.
    print(*dict.fromkeys(doxygen.stdout.splitlines()), sep="\n", file=sys.stderr)
    print("" if made else "there is no page of proa::Proactor", file=sys.stderr)
sys.exit(not good)
