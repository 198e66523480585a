#!/usr/bin/env python3
"""What `compare protocols` says, and what it finds out, one TAP line each. Arguments: compare. No number is looked at."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

if len(sys.argv) != 2:
    sys.exit(__doc__)
compare = sys.argv[1]
NAMES = ["protocols-http-1024-3", "protocols-http-102400-3", "protocols-http-10485760-3", "protocols-dns-3"]
MISSING = {"nginx is not installed (package nginx)", "knotd is not installed (package knot)"}
NOT_BUILT = {"proa-serve was not built", "proa-dns was not built"}
cases = 0
ok = True


def report(name, right, why=""):
    global cases, ok
    cases += 1
    ok &= right
    print(f"{'ok' if right else 'not ok'} {cases} - protocols: {name}", flush=True)
    if not right:
        print(why, file=sys.stderr)


def run(path, program=compare, **environment):
    """Exit status, all output, the comparisons, and what is left in /tmp."""
    command = [program, "protocols", "-c", "3", "-d", "0.05", "--slice-ms", "5", "--json", str(path)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **environment}) as process:
        output, _ = process.communicate(timeout=200)
    left = [name for name in os.listdir("/tmp") if name.startswith(f"compare.{process.pid}.")]
    return process.returncode, output, json.loads(path.read_text(encoding="utf-8"))["comparisons"], left


def complaint(comparison):
    """What is wrong with a comparison of servers that answer right; nothing if all is well."""
    if comparison["quantity"] != "CPU per request" or comparison["unit"] != "us" or comparison["better"] != "lower":
        return f"the quantity: {comparison}"
    if "skipped" in comparison:
        return "" if comparison["skipped"] in MISSING | NOT_BUILT else comparison["skipped"]
    contestants = comparison["contestants"]
    peer = "Knot DNS" if comparison["group"] == "DNS" else "nginx"
    if [(c["name"], c["role"]) for c in contestants] != [(peer, "peer"), ("proa epoll", "ours"), ("proa uring", "ours")]:
        return f"who takes part: {contestants}"
    for one in contestants:
        if one["errors"] != 0 or one["runs"] < 1 or not 0 < one["min"] <= one["median"] <= one["max"]:
            return f"a contestant: {one}"
        if one is not contestants[0] and one.get("ratio", {}).get("to") != peer and not one.get("refused"):
            return f"neither ratio nor reason: {one}"
        if not {"requests per second", "p99 us"} <= set(one["details"]):
            return f"the details: {one}"
    return ""


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    path = folder / "found.json"

    status, output, found, left = run(path)
    report("succeeds, or says what it lacks", status in (0, 77), output)
    report("four comparisons", [c["name"] for c in found] == NAMES, str(found))
    for comparison in found:
        report(comparison["title"], not complaint(comparison), complaint(comparison))
    refused = any("skipped" in c or any("refused" in x for x in c["contestants"]) for c in found)
    report("status 77 if, and only if, something is refused or skipped", (status == 77) == refused, output)
    report("nothing is left in /tmp", not left, str(left))
    built = not any(c.get("skipped") in NOT_BUILT for c in found)

    alone = folder / "compare"
    shutil.copy(compare, alone)
    status, output, found, _ = run(path, str(alone))
    report("what was not built is skipped", status == 77 and [c["name"] for c in found] == NAMES
           and {c.get("skipped") for c in found} == NOT_BUILT, output)

    servers = folder / "servers"
    servers.mkdir()
    _, rest = pathlib.Path(__file__).with_name("wrong_server.py").read_text(encoding="utf-8").split("\n", 1)
    for server in ("nginx", "knotd"):
        (servers / server).write_text(f"#!{sys.executable}\n{rest}", encoding="utf-8")
        (servers / server).chmod(0o755)
    for http, dns in (("content", "address"), ("status", "code"), ("length", "identity"), ("more", "end")):
        if not built:
            break
        status, output, found, _ = run(path, PATH=f"{servers}:{os.environ['PATH']}", WRONG_HTTP=http, WRONG_DNS=dns)
        noticed = [c["name"] for c in found if "contestants" in c and c["contestants"][0]["errors"] > 0]
        report(f"a wrong {http}, in DNS a wrong {dns}, is an error", noticed == NAMES and status == 1,
               f"{noticed} {status} {output}")

for arguments in (["a=b %p"], ["-c", "1,2"], ["-c", "201"], ["-d", "x"]):
    done = subprocess.run([compare, "protocols", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60)
    report(f"bad usage: {arguments}", done.returncode == 64 and "--help" in done.stderr, done.stderr)
print(f"1..{cases}")
sys.exit(not ok)
