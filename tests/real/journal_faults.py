#!/usr/bin/env python3
"""proa-journal on disks that fail, under kill(1) and under rotation: it loses no record that it acknowledged. One TAP line a
case. Arguments: folder of the tools, backend, faulty_files (see there) or "none", [number of kills]."""
import collections
import errno
import fcntl
import itertools
import os
import pathlib
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

tools, backend, faulty_files = os.path.abspath(sys.argv[1]), *sys.argv[2:4]
kills = int(sys.argv[4]) if len(sys.argv) > 4 else 50
dice = random.Random(1)
patience = 900  # for hangs
cases = []
Run = collections.namedtuple("Run", "status acknowledged errors")


class Skip(Exception):
    """Fails where everything has to run, unless the machine cannot help it."""

    def __init__(self, why, unavoidable=False):
        super().__init__(why)
        self.fails = not unavoidable and os.environ.get("CI", "false") != "false"


def case(name):
    def add(function):
        cases.append((name, function))
        return function
    return add


# A record's text follows from its number, so every journal here is a beginning of one and the same.
header_size = 16
records = 300


def text(number):
    return f"record {number} ".ljust(number * 7919 % 20000, "x") + "\n"


ends = list(itertools.accumulate([0] + [header_size + len(text(number)) - 1 for number in range(1, records + 1)]))


def lines(first, last=records):
    return "".join(text(number) for number in range(first, last + 1)).encode()


def command(path):
    return [f"{tools}/proa-journal", "--backend", backend, "--strict", str(path)]


def numbers(output):
    """Of the acknowledgements, the last of which may have no end."""
    return [int(line) for line in output.decode().split("\n")[:-1]]


def append(path, first, last=records):
    """Runs it to its end."""
    done = subprocess.run(command(path), input=lines(first, last), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=patience, check=False)
    return Run(done.returncode, numbers(done.stdout), done.stderr.decode())


def verify(path):
    """The number of intact records, without damage, or with a torn tail."""
    done = subprocess.run([f"{tools}/proa-journal", "--verify", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=patience, check=False)
    assert done.returncode == 0, f"--verify says {done.stderr.decode()}"
    return int(done.stdout)


def check_records(path, acknowledged, whole):
    """All that were acknowledged are there, and nothing that was never written; how many there are."""
    count = verify(path) if path.exists() else 0
    last = max(acknowledged, default=0)
    assert count >= last, f"record {last} was acknowledged, {count} are there"
    if count > 0:
        with open(path, "rb") as file:
            assert file.read(ends[count]) == whole[:ends[count]], f"one of the {count} records is another one"
    return count


def check_run(run, first):
    """What it acknowledged has no gaps, and it told of every failure."""
    assert run.acknowledged == list(range(first, first + len(run.acknowledged))), f"from {first} on: {run.acknowledged}"
    assert run.status in (0, 1), f"exit status {run.status}"
    assert (run.status == 0) == (run.errors == ""), f"exit status {run.status}: {run.errors!r}"


class Journal:
    """The process, which is fed bit by bit."""

    def __init__(self, path, source=subprocess.PIPE):
        self.process = subprocess.Popen(command(path), stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.output = b""

    def feed(self, first, last):
        self.process.stdin.write(lines(first, last))
        self.process.stdin.flush()

    def wait_for(self, number):
        """Until it has acknowledged that record."""
        end = time.monotonic() + patience
        while number not in numbers(self.output):
            assert select.select([self.process.stdout], [], [], end - time.monotonic())[0], f"no record {number}"
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, f"it ends before record {number}: {self.process.stderr.read().decode()}"
            self.output += more

    def end(self):
        output, errors = self.process.communicate(timeout=patience)
        return Run(self.process.returncode, numbers(self.output + output), errors.decode())


class Disk:
    def __init__(self, folder):
        self.folder, self.store = folder / "mounted", folder / "store"
        self.folder.mkdir()
        self.store.mkdir()
        self.log, self.stored_log = self.folder / "log", self.store / "log"
        self.process = subprocess.Popen([faulty_files, self.folder, self.store], stdout=subprocess.PIPE)
        assert self.process.stdout.read(1) == b"\n", "the file system cannot be mounted"

    def order(self, words):
        (self.folder / "faults").write_text(words)

    def faults(self):
        return int((self.folder / "faults").read_text())

    def put(self, data):
        """The journal, on the disk; if there is none, None."""
        self.stored_log.unlink(missing_ok=True)
        if data is not None:
            self.stored_log.write_bytes(data)
        self.order("power")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(patience)


def mount(folder):
    if faulty_files == "none":
        raise Skip("built without libfuse3")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise Skip("/dev/fuse cannot be used", unavoidable=True)
    return Disk(folder)


def each_fault(folder, whole, kind, error, contents, at_least):
    """The call of that kind fails, the first one, the second one, and so on; in a journal of some records."""
    data, before = contents
    with mount(folder) as disk:
        for call in itertools.count(1):
            disk.put(data)
            # Only what is read there stays bad, and only a full disk stays full.
            disk.order(f"{kind} {call} {error} {1000000 if kind == 'read' or error == errno.ENOSPC else 1}")
            run = append(disk.log, before + 1)
            faults = disk.faults()
            disk.order("none 0 0 0")
            try:
                errors = [line for line in run.errors.splitlines() if "torn record" not in line]
                run = run._replace(errors="\n".join(errors))
                check_run(run, before + 1)
                assert run.status == (faults > 0), f"{faults} faults, exit status {run.status}"
                check_records(disk.log, run.acknowledged, whole)
                disk.order("power")
                count = check_records(disk.stored_log, run.acknowledged, whole)
                assert count >= before, f"of {before} records {count} are left"
                again = append(disk.log, count + 1, count + 1) if count < records else Run(0, [], "")
                assert again.status == 0, f"goes on with {again.status}: {again.errors}"
                check_records(disk.stored_log, again.acknowledged, whole)
            except AssertionError as problem:
                raise AssertionError(f"{kind} {call}: {problem}") from problem
            if faults == 0:
                assert run.acknowledged[-1] == records
                assert call > at_least, f"only {call - 1} calls"
                return


def some_records(whole):
    return whole[:ends[250]], 250


def torn_record(whole):
    return whole[:ends[250] + 100], 250


def no_file(_):
    return None, 0


for name, kind, error, contents, at_least in [
        ("EIO at each read", "read", errno.EIO, torn_record, 2),
        ("EIO at each write", "write", errno.EIO, some_records, 2),
        ("EIO at each write of a new journal", "write", errno.EIO, no_file, 10),
        ("EIO at each sync", "sync", errno.EIO, torn_record, 4),
        ("EIO at each sync of a new journal", "sync", errno.EIO, no_file, 10),
        ("EIO when a torn record is cut off", "truncate", errno.EIO, torn_record, 1),
        ("a disk that gets full, at each write", "write", errno.ENOSPC, some_records, 2),
        ("a disk that is found full by each sync", "sync", errno.ENOSPC, some_records, 4)]:
    cases.append((name, lambda folder, whole, kind=kind, error=error, contents=contents, at_least=at_least: each_fault(
        folder, whole, kind, error, contents(whole), at_least)))


@case("the power fails")
def power(folder, whole):
    with mount(folder) as disk:
        count = 0
        for _ in range(20):
            if count > 250:
                count = 0
            if count == 0:
                disk.put(None)
            journal = Journal(disk.log)
            last = min(count + dice.randint(1, 30), records)
            journal.feed(count + 1, last)
            journal.wait_for(dice.randint(count + 1, last))
            disk.order("power")
            try:
                journal.feed(last + 1, min(last + 5, records))
            except BrokenPipeError:  # it has found out
                pass
            run = journal.end()
            assert run.status == 1 and run.errors != "", f"exit status {run.status}"
            count = check_records(disk.stored_log, run.acknowledged, whole)


@case("a small file system gets full")
def full(folder, whole):
    if subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.PIPE, check=False).returncode != 0:
        raise Skip("no mount namespace: unshare(1) failed")
    small, found = folder / "small", folder / "found"
    small.mkdir()
    script = f"mount -t tmpfs -o size=1m proa {small}; cd {small}; status=0; \"$@\" || status=$?; cp log {found}; exit $status"
    done = subprocess.run(["unshare", "-rm", "sh", "-ec", script, "sh"] + command("log"), input=lines(1),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=patience, check=False)
    assert done.returncode == 1 and "No space left" in done.stderr.decode(), f"{done.returncode}: {done.stderr}"
    acknowledged = numbers(done.stdout)
    assert len(acknowledged) > 20
    count = check_records(found, acknowledged, whole)
    assert append(found, count + 1).status == 0
    check_records(found, [records], whole)


@case(f"killed {kills} times")
def killed(folder, whole):
    log, whole_input = folder / "log", folder / "input"
    whole_input.write_bytes(lines(1))
    most, count, early = 0, 0, 0
    for _ in range(kills):
        if count == records:
            log.unlink()
            count = 0
        with open(whole_input, "rb") as rest:
            rest.seek(len(lines(1, count)))
            journal = Journal(log, rest)
        if dice.random() < 0.5:
            time.sleep(dice.random() * 0.02)
        else:
            journal.wait_for(dice.randint(count + 1, records))
        journal.process.kill()
        run = journal.end()
        early += run.status != 0 and run.acknowledged[-1:] != [records]
        assert run.status in (0, -signal.SIGKILL), f"exit status {run.status}: {run.errors}"
        most = max([most] + run.acknowledged)
        with open(log, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # what it had begun with io_uring goes on for a moment
            count = check_records(log, run.acknowledged, whole)
    print(f"# {early} of {kills} before the end")
    assert most > 20, f"only {most} were acknowledged"


@case("renamed while it appends, and another one begins anew")
def rotated(folder, whole):
    for _ in range(5):
        log, old = folder / "log", folder / "log.1"
        last = dice.randint(20, 60)
        journal = Journal(log)
        journal.feed(1, last)
        journal.wait_for(dice.randint(1, last))
        log.rename(old)
        other = Journal(log)
        other.feed(1, 30)
        other.wait_for(30)
        journal.feed(last + 1, last + 20)
        for process, path, all_of_them in [(journal, old, last + 20), (other, log, 30)]:
            run = process.end()
            check_run(run, 1)
            assert run.acknowledged[-1] == all_of_them
            assert check_records(path, run.acknowledged, whole) == all_of_them
            path.unlink()


# Its records are in the copy; the journal itself has a hole that it cannot explain.
@case("copied and truncated while it appends, it is refused")
def truncated(folder, whole):
    log, old = folder / "log", folder / "log.1"
    journal = Journal(log)
    journal.feed(1, 20)
    journal.wait_for(20)
    shutil.copy(log, old)
    os.truncate(log, 0)
    journal.feed(21, 40)
    run = journal.end()
    check_run(run, 1)
    assert run.acknowledged[-1] == 40
    assert check_records(old, range(1, 21), whole) == 20
    before = log.read_bytes()
    again = append(log, 41)
    assert again.status == 1 and again.errors.startswith("proa-journal: ") and again.acknowledged == [], f"{again}"
    assert log.read_bytes() == before


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as base:
        whole_path = pathlib.Path(base) / "whole"
        made = append(whole_path, 1)
        assert made.status == 0 and made.acknowledged[-1] == records, f"{made}"
        whole = whole_path.read_bytes()
        assert len(whole) == ends[records]
        for number, (name, function) in enumerate(cases, 1):
            line, problem = f"ok {number} - real: {backend}: journal: {name}", ""
            folder = pathlib.Path(base) / str(number)
            folder.mkdir()
            try:
                function(folder, whole)
            except Skip as why:
                line += f" # SKIP {why}"
                problem = f"skipped: {why}" if why.fails else ""
            except (AssertionError, OSError, ValueError, subprocess.SubprocessError) as error:
                problem = f"{type(error).__name__}: {error}"
            failed += bool(problem)
            print("not " * bool(problem) + line, flush=True)
            if problem:
                print("# " + problem.replace("\n", "\n# "))
    print(f"1..{len(cases)}")
    sys.exit(failed > 0)


main()
