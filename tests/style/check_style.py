#!/usr/bin/env python3
"""The rules that a program can check, one TAP line each. Arguments: source root, C++ compiler command."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

if len(sys.argv) < 3 or not os.path.isdir(sys.argv[1]):
    sys.exit(__doc__)
root = pathlib.Path(sys.argv[1])
compiler = sys.argv[2:]
required = os.environ.get("CI", "") not in ("", "false")
cases = 0


def report(name, problems, skip=""):
    global cases
    cases += 1
    for problem in problems:
        print(f"{name}: {problem}", file=sys.stderr)
    status = "not ok" if problems else "ok"
    print(f"{status} {cases} - style: {name}" + (f" # SKIP {skip}" if skip else ""), flush=True)
    return not problems


def files(*patterns):
    folders = ["include", "lib", "tests", "bench", "tools"]
    return sorted(p for f in folders for x in patterns for p in (root / f).rglob(x) if p.is_file())


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def each_line(paths, pattern):
    """file:line for each line that matches."""
    expression = re.compile(pattern)
    return [f"{p.relative_to(root)}:{n}: {line.strip()}" for p in paths
            for n, line in enumerate(lines(p), 1) if expression.search(line)]


def run(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)


cpp = files("*.cpp", "*.hpp", "*.h")
scripts = files("*.py", "*.sh", "meson.build") + [root / "meson.build"]
headers = sorted((root / "include/proa").rglob("*.hpp"))
adapters = sorted((root / "include/proa/embed").glob("*.hpp"))  # to other libraries, whose headers they include
ok = True

ok &= report("no file over 700 lines",
             [f"{p.relative_to(root)}: {len(lines(p))} lines" for p in cpp if len(lines(p)) > 700])

ok &= report("no unfinished work", each_line(cpp + scripts, r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b"))

formatter = shutil.which("clang-format")
if formatter:
    result = run([formatter, "--dry-run", "--Werror", *map(str, cpp)])
    dirty = [line for line in result.stdout.splitlines() if "error:" in line]
    ok &= report("formatted", dirty if result.returncode else [])
else:
    ok &= report("formatted", ["clang-format is required"] if required else [],
                 "" if required else "clang-format is not installed")

included = re.compile(r"\s*#\s*include\s*([<\"])([^>\"]+)[>\"]")
ok &= report("public headers include the standard library and proa only", [
    f"{p.relative_to(root)}:{n}: {line}" for p in headers if p not in adapters for n, line in enumerate(lines(p), 1)
    for match in [included.match(line)] if match and not (
        match[1] == "<" and (re.fullmatch(r"[a-z_]+", match[2]) or match[2].startswith("proa/")))])

# A folder of lib/ is a layer; the headers that programs include belong to layers as well. What is not named here is
# part of the interface between the layers, or, if it makes or is a handler, on top.
layers = ["words", "sys", "base", "interface", "buffer", "framing", "file", "backend", "proactor", "handler"]
words = ["address", "bytes", "datagram_info", "descriptor", "detail/api", "error", "listen_fds", "misuse", "socket_option", "time", "version"]
operations = ["backend_side", "operation"]
top = ["accept_handler", "datagram_handler", "file_handler", "handler", "notifier", "poll_handler", "proa", "proactor",
       "reconnector", "server", "signal_handler", "stream_handler", "timer_handler", "worker_pool"]


def layer_of(name):
    """Of a path below include/ or lib/."""
    folder, rest = name.split("/", 1)
    if folder != "proa":
        return folder
    header = rest[:-len(".hpp")]
    return ("words" if header in words else "base" if header in operations else
            "handler" if header in top or header.startswith("embed/") else "interface")


def arrows_upwards(path, name):
    own = layers.index(layer_of(name))
    for n, line in enumerate(lines(path), 1):
        match = included.match(line)
        if match and "/" in match[2] and match[2].split("/", 1)[0] in layers + ["proa"]:
            if layers.index(layer_of(match[2])) > own:
                yield f"{path.relative_to(root)}:{n}: {layer_of(name)} includes {match[2]}, of {layer_of(match[2])}"


ok &= report("each layer includes those below it only", [
    arrow for folder in (root / "lib", root / "include") for p in sorted(folder.rglob("*.[ch]pp"))
    for arrow in arrows_upwards(p, str(p.relative_to(folder)))])

ok &= report("lib/ has folders only", [str(p.relative_to(root)) for p in sorted((root / "lib").iterdir())
                                        if p.is_file() and p.name not in ("meson.build", "proa.map")])

meson_list = (root / "include/meson.build").read_text(encoding="utf-8")
ok &= report("public headers are installed", [
    f"{p.relative_to(root)} is not in include/meson.build" for p in headers
    if f"'{p.relative_to(root / 'include')}'" not in meson_list])


soversion = re.search(r"soversion: '(\d+)'", (root / "lib/meson.build").read_text(encoding="utf-8"))[1]
abi_opens, abi_closes = f"inline namespace v{soversion} {{", f"}}  // namespace v{soversion}"


def outside_of_abi(path):
    """Where a header opens or closes proa without the inline namespace that has the number of the ABI."""
    text = ["", *lines(path), ""]
    for n, line in enumerate(text):
        opens = re.match(r"\s*namespace proa\b", line)
        closes = re.fullmatch(r"\s*}  // namespace proa\b.*", line)
        if (opens and text[n + 1] != abi_opens) or (closes and text[n - 1] != abi_closes):
            yield f"{path.relative_to(root)}:{n}: {line}"


ok &= report("headers declare everything in the inline namespace of the ABI", [
    problem for folder in ("include", "lib") for p in sorted((root / folder).rglob("*.hpp"))
    for problem in outside_of_abi(p)] + [
    problem for problem in each_line([p for p in cpp if root / "tests/style" not in p.parents], r"^inline namespace v\d+ {")
    if not problem.endswith(abi_opens)] +
    # For clang this is a new namespace beside the one of the headers; gcc opens that one.
    each_line((root / "lib").rglob("*.cpp"), r"^namespace proa::"))


def compiles(job):
    names, standard = job
    unit = "".join(f"#include <{name.relative_to(root / 'include')}>\n" for name in names)
    result = subprocess.run(
        [*compiler, "-x", "c++", f"-std={standard}", "-fno-exceptions", "-fno-rtti", "-Wall",
         "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-fsyntax-only",
         "-I", str(root / "include"), "-"],
        input=unit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode == 0:
        return None
    return f"{', '.join(str(h.relative_to(root)) for h in names)} with -std={standard}:\n{result.stdout}"


# Each alone in the language that they are written in; all together in those that may differ.
alone = [h for h in headers if h not in adapters]
jobs = [([h], "c++17") for h in alone] + [(alone, s) for s in ("c++20", "c++2b")]
with ThreadPoolExecutor(os.cpu_count()) as pool:
    broken = [problem for problem in pool.map(compiles, jobs) if problem]
ok &= report("public headers compile alone, and as C++20 and 23, without exceptions and RTTI", broken)

library = [p for p in cpp if root / "lib" in p.parents or root / "include" in p.parents]
comment_or_string = re.compile(r'//.*|"[^"]*"')
exceptions = ["lib/base/memory.hpp", "lib/base/refuse.cpp"]  # which are for builds without exceptions too
ok &= report("the library throws in one file and catches in one", [
    f"{p.relative_to(root)}:{n}: {line.strip()}" for p in library if str(p.relative_to(root)) not in exceptions
    for n, line in enumerate(lines(p), 1) if re.search(r"\b(try|catch|throw)\b", comment_or_string.sub("", line))])
ok &= report("errno only in lib/sys", [
    f"{p.relative_to(root)}:{n}: {line.strip()}" for p in library if root / "lib/sys" not in p.parents
    for n, line in enumerate(lines(p), 1) if re.search(r"\berrno\b(?!\.h)", comment_or_string.sub("", line))])

ok &= report("each source of the library opens with a comment", [
    str(p.relative_to(root)) for p in sorted((root / "lib").rglob("*.cpp"))
    if not (lines(p) or [""])[0].startswith("//")])

print(f"1..{cases}")
sys.exit(0 if ok else 1)
