#!/usr/bin/env python3
"""What compare says and writes, one TAP line each. Arguments: compare, raw_epoll. No number is looked at."""
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import signal
import struct
import socket
import subprocess
import sys
import tempfile
import termios
import threading

if len(sys.argv) != 3:
    sys.exit(__doc__)
compare, floor = sys.argv[1:]
ECHO = f"'{floor}' -p %p"
# An echo server with one wrong byte on every other connection: in another answer on each.
WRONG = """python3 -c "
import itertools, socket, threading
def serve(connection, number):
  for answer in itertools.count(1):
    data = bytearray(connection.recv(4096))
    if not data: return
    if number % 2 == 1 and answer == 20 * number: data[-1] ^= 1
    connection.sendall(data)
listener = socket.create_server(('127.0.0.1', %p))
for number in itertools.count():
  threading.Thread(target=serve, args=(listener.accept()[0], number), daemon=True).start()
" """
BESIDE_ASIO = ("post-1", "post-2")  # skipped where Asio is not installed
cases = 0


def report(name, ok, why=""):
    global cases
    cases += 1
    print(f"{'ok' if ok else 'not ok'} {cases} - compare: {name}", flush=True)
    if not ok:
        print(why, file=sys.stderr)
    return ok


def run(*arguments):
    return subprocess.run([compare, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)


def complaint(found, comparisons, roles=("given",)):
    """What is wrong with the JSON; nothing if it is as the format says."""
    if found["format"] != 1 or not found["command"].startswith("compare ") or found["seconds"] <= 0:
        return "the head"
    if not {"cpu", "processors", "kernel", "memory_mib", "compiler", "libc", "hypervisor"} <= set(found["machine"]):
        return "the machine"
    if [c["name"] for c in found["comparisons"]] != comparisons:
        return f"the names: {[c['name'] for c in found['comparisons']]}"
    for comparison in found["comparisons"]:
        if comparison["better"] not in ("lower", "higher"):
            return "better"
        if comparison["name"] in BESIDE_ASIO and comparison.get("skipped"):
            continue
        for contestant in comparison["contestants"]:
            if contestant["role"] not in roles or contestant["errors"] != 0 or contestant["runs"] < 1:
                return f"a contestant: {contestant}"
            if not contestant["min"] <= contestant["median"] <= contestant["max"]:
                return "the order of min, median, max"
    return ""


def interrupted_after(*names):
    """Interrupts it when it has begun with what comes after these; whether the JSON has them, and the reason why not."""
    counts = [name.rsplit("-", 1)[1] for name in names] + ["3"]
    with subprocess.Popen([compare, "tcp", "-c", ",".join(counts), "-d", "0.3", "--json", str(path), f"a={ECHO}"],
                          stdout=subprocess.DEVNULL) as process:
        while not path.exists() or len(json.loads(path.read_text(encoding="utf-8"))["comparisons"]) < len(names):
            if process.poll() is not None:
                return False, "it ended"
        process.send_signal(signal.SIGINT)
        process.wait(60)
    wrong = complaint(json.loads(path.read_text(encoding="utf-8")), list(names))
    return process.returncode == -signal.SIGINT and not wrong, wrong or str(process.returncode)


def clients_told_wrong_bytes():
    """Runs each client of `compare connect` against a server that changes one byte of one answer; yields its name and how it ended."""
    folder = pathlib.Path(compare).parent
    for client in [folder / "connector", *sorted(folder.glob("peers/*_connect"))]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=echo_with_a_wrong_byte, args=(listener,), daemon=True).start()
            yield client.name, subprocess.run([client, "-p", str(listener.getsockname()[1]), "-n", "40"], timeout=120,
                                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def echo_with_a_wrong_byte(listener):
    for number in range(40):
        connection = listener.accept()[0]
        data = bytearray(connection.recv(64, socket.MSG_WAITALL))
        if number == 17:
            data[33] ^= 1
        connection.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            connection.recv(1)  # returns when the client has closed
        connection.close()


def progress_of(*arguments, until=None):
    """The lines of progress of a run on a terminal, or the first of them."""
    terminal, other_end = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    text = ""
    with subprocess.Popen([compare, *arguments], stdout=subprocess.DEVNULL, stderr=other_end) as process:
        os.close(other_end)
        while until is None or len(lines_of(text)) <= until:
            try:
                text += os.read(terminal, 4096).decode()
            except OSError:  # the program has ended
                break
        process.kill()
    os.close(terminal)
    return lines_of(text)


def lines_of(text):
    return [line for line in text.split("\r\033[K") if line]


ok = True
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "found.json"

    done = run("idle", "-n", "20", "--json", str(path), f"a={ECHO}", f"b={ECHO}")
    ok &= report("idle succeeds", done.returncode == 0, done.stderr)
    found = json.loads(path.read_text(encoding="utf-8"))
    ok &= report("idle writes what the format says", not complaint(found, ["idle-20"]), complaint(found, ["idle-20"]))
    ok &= report("nothing of the progress goes elsewhere than to a terminal", done.stderr == "", done.stderr)

    done = run("tcp", "-c", "1,2", "-d", "0.2", f"--json={path}", f"a={ECHO}", f"b={ECHO}")
    ok &= report("tcp succeeds, or says that the machine is too uneven", done.returncode in (0, 77), done.stderr)
    found = json.loads(path.read_text(encoding="utf-8"))
    wrong = complaint(found, ["tcp-256-1", "tcp-256-2"])
    ok &= report("tcp writes what the format says", not wrong, wrong)
    first, second = found["comparisons"][0]["contestants"]
    ok &= report("the first has no ratio", "ratio" not in first and "refused" not in first)
    ok &= report("the second has a ratio to the first, or the reason why not",
                 second.get("ratio", {}).get("to") == "a" if "ratio" in second else bool(second["refused"]))
    refused = any("refused" in x for c in found["comparisons"] for x in c["contestants"])
    ok &= report("status 77 if, and only if, a ratio is refused", (done.returncode == 77) == refused)
    details = set(first["details"])
    ok &= report("latencies are there", {"p50 us", "p99 us", "p99.9 us", "echoes per second"} <= details, str(details))

    done = run("tcp", "-c", "3", "-s", "64,5000", "--pipeline", "7", "-d", "0.2", "--json", str(path), f"a={ECHO}", f"b={ECHO}")
    ok &= report("a pipeline of requests comes back right", done.returncode in (0, 77), done.stdout + done.stderr)
    wrong = complaint(json.loads(path.read_text(encoding="utf-8")), ["tcp-64-3-pipeline-7", "tcp-5000-3-pipeline-7"])
    ok &= report("of each size", not wrong, wrong)

    path.unlink()
    ok &= report("what is interrupted leaves what it has measured", *interrupted_after("tcp-256-1", "tcp-256-2"))
    ok &= report("and a file with another name is not left", os.listdir(folder) == [path.name], str(os.listdir(folder)))

    lines = progress_of("tcp", "-c", "1,2", "-d", "0.8", f"a={ECHO}", f"b={ECHO}")
    left = [re.match(r"(\d+) s left: TCP echo: ", line) for line in lines]
    ok &= report("a terminal is told how much time is left of all of it", all(left) and len(left) > 2, str(lines[:5]))
    ok &= report("and that becomes less", all(left) and int(left[0][1]) > int(left[-1][1]), str(lines))
    lines = progress_of("all", "--quick", until=1)
    ok &= report("and at which step it is", bool(re.match(r"1 of \d+, \d+ min left: TCP echo: ", lines[0])), lines[0])

    done = run("tcp", "-c", "4", "-d", "0.5", "--json", str(path), f"wrong={WRONG}")
    ok &= report("a wrong answer is a failure", done.returncode == 1, done.stdout + done.stderr)
    comparison = json.loads(path.read_text(encoding="utf-8"))["comparisons"][0]
    contestants = comparison.get("contestants", [])
    ok &= report("and is counted, beside answers that are right",
                 len(contestants) == 1 and contestants[0]["errors"] > 0 and contestants[0]["runs"] > 0, str(comparison))

    done = run("tcp", "-d", "0.2", "ends=false %p")
    ok &= report("a server that ends is a failure, and named", done.returncode == 1 and "ends" in done.stderr)

    sink = f"'{floor}' -s -p %p"
    own = ("ours", "floor", "peer")
    for arguments, names, roles in ((["accept", "-c", "3", "-d", "0.2", f"a={ECHO}", f"b={ECHO}"], ["accept-3"], ("given",)),
                                    (["bulk", "-c", "2", "-d", "0.2", f"a={sink}", f"b={sink}"], ["bulk-2"], ("given",)),
                                    (["latency", "-c", "3", "-r", "500", "-d", "0.5", f"a={ECHO}", f"b={ECHO}"],
                                     ["latency-256-3"], ("given",)),
                                    (["connect", "-r", "2"], ["connect"], own),
                                    (["post", "-r", "2"], ["post-1", "post-2", "post-wake-up"], own)):
        done = run(*arguments, "--json", str(path))
        what = " ".join(arguments[:5])
        ok &= report(f"{what} succeeds, or says what it lacks", done.returncode in (0, 77), done.stdout + done.stderr)
        wrong = complaint(json.loads(path.read_text(encoding="utf-8")), names, roles)
        ok &= report(f"{what} writes what the format says", not wrong, wrong)

    for name, done in clients_told_wrong_bytes():
        ok &= report(f"{name} counts an answer with a wrong byte", done.returncode == 1 and done.stderr == "1 answers had wrong bytes\n",
                     done.stdout + done.stderr)

    done = run("matrix", "-c", "100,2", "-d", "0.05", "-r", "2", "--directory", folder, "--json", str(path))
    ok &= report("matrix succeeds, or says that the machine is too uneven", done.returncode in (0, 77), done.stderr)
    found = json.loads(path.read_text(encoding="utf-8"))
    names = ["matrix-tcp-100", "matrix-tcp-2", "matrix-udp-100", "matrix-files-4-1", "matrix-files-4-4", "matrix-files-8-1"]
    wrong = complaint(found, names, ("ours", "floor"))
    ok &= report("matrix writes what the format says", not wrong, wrong)
    ok &= report("of the seed's matrix more is better",
                 all(c["group"] == "Seed's matrix" and c["better"] == "higher" for c in found["comparisons"]))
    columns = [c["name"] for c in found["comparisons"][0]["contestants"]]
    ok &= report("the servers of the matrix are known by their names",
                 columns == ["raw_epoll", "raw_uring", "proa epoll", "proa epoll spin 100", "proa uring", "proa uring spin 100"])
    text = path.read_text(encoding="utf-8")
    # What is published stands in the tables for people: in one cell of its row, and not among what was measured.
    for row, figures in (("100", "320,799 / 302,893 / 177,102"), ("2", "-"), ("100", "35,082"),
                         ("4, 1", "38,095 / 40,000 / 2,663"), ("4, 4", "- / - / 5,004"), ("8, 1", "-")):
        ok &= report(f"the row {row} has {figures} of another machine", any(
            line.startswith(row + " ") and line.endswith("  | " + figures) for line in done.stdout.splitlines()), done.stdout)
    ok &= report("it says whose they are", done.stdout.count("another machine's (") == 3, done.stdout)
    ok &= report("and they are not in the JSON", not any(x in text for x in ("320,799", "320799", "35,082", "38,095")))
    ok &= report("nothing is left of its files", os.listdir(folder) == [path.name], str(os.listdir(folder)))

    done = run("matrix", "-c", "2", "-d", "0.05", "-r", "2", "--directory", os.path.join(folder, "nowhere"))
    ok &= report("a directory that is not there is a failure, after the other tables",
                 done.returncode == 1 and "nowhere" in done.stderr and "packets/s" in done.stdout, done.stderr)

    done = run("tcp", "-c", "x", "--json", os.path.join(folder, "unused.json"))
    ok &= report("bad usage leaves no file", done.returncode == 64 and os.listdir(folder) == [path.name], str(os.listdir(folder)))

    done = run("idle", "--json", os.path.join(folder, "no", "file"), f"a={ECHO}")
    ok &= report("a file that cannot be written is known at once", done.returncode == 1 and "a " not in done.stdout)

for arguments in ([], ["nothing"], ["tcp", "no-command"], ["tcp", "-c", "x"], ["timers", "a=b"], ["idle", "--json"],
                  ["tcp", "-s", "1,1"], ["tcp", "-s", "1048577"], ["matrix", "a=b"],
                  ["matrix", "-c", "0"], ["matrix", "-r", "1"], ["matrix", "-d", "no"],
                  ["tcp", "-c", "5,7,5"], ["idle", "a=false %p", "a=true %p"]):
    done = run(*arguments)
    ok &= report(f"bad usage: {arguments}", done.returncode == 64 and "--help" in done.stderr, done.stderr)

text = run("--help")
names = ["tcp", "latency", "udp", "instructions", "accept", "connect", "bulk", "idle", "post", "timers", "files", "matrix", "protocols"]
ok &= report("--help names every subcommand and every exit status",
             text.returncode == 0 and all(name in text.stdout for name in [*names, "all", "77", "64"]))
for name in names:
    done = run(name, "--help")
    ok &= report(f"{name} --help", done.returncode == 0 and f"usage: compare {name}" in done.stdout, done.stderr)
print(f"1..{cases}")
sys.exit(not ok)
