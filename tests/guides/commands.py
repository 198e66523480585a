#!/usr/bin/env python3
"""Tries the commands that the guides have outside of scripts, each as commands.txt says. Arguments: source root, build folder,
meson, a file of commands (blocks.py), and a folder to run them in. Prints "ok", "not ok" or "skip", a tab, the command, and why."""
import functools
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

# Programs whose first word selects what their help speaks of, and how they are asked for it.
SUBCOMMANDS = {"compare": "--help", "docker": "--help", "meson": "--help", "perf": "-h"}
# What makes a program say what it would do.
DRY_RUNS = {"meson test": ["--list", "--no-rebuild"], "ninja": ["-n"], "mutate": ["--check"], "tests": ["--list-tests"]}


# Of the programs that the guides name without a folder, those that a machine may lack. Any other name is misspelt.
MAY_BE_MISSING = {"coredumpctl", "dmesg", "docker", "gdb", "ip", "ninja", "perf", "quota", "setcap", "ss", "strace", "sysctl",
                  "systemd-analyze", "systemd-socket-activate"}


class Skip(Exception):
    pass


class Wrong(Exception):
    pass


def read_list():
    """Command -> how it is tried: "run", or the reason why not."""
    listed, how = {}, ""
    for line in (pathlib.Path(__file__).parent / "commands.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            how = line.strip("[]")
        elif line and not line.startswith("#"):
            listed[" ".join(line.split())] = how
    return listed


class Machine:
    def __init__(self, root, build, meson, folder):
        self.root, self.build, self.meson, self.folder = pathlib.Path(root), pathlib.Path(build), meson, folder
        self.environment = dict(os.environ)
        self.environment["PATH"] = f"{self.build / 'tools'}:{os.environ['PATH']}:/usr/sbin:/sbin"
        self.echo = None

    def output(self, *command, cwd=None):
        """Exit status and all output."""
        try:
            done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace", timeout=60, check=False,
                                  env=self.environment, cwd=cwd or self.folder)
        except subprocess.TimeoutExpired:
            return 1, "it does not end"
        return done.returncode, done.stdout

    @functools.lru_cache(maxsize=None)
    def help(self, *command):
        return self.output(*command)[1]

    def need(self, program):
        if self.output("bash", "-c", 'type "$1"', "bash", program)[0] == 0:
            return
        if program in MAY_BE_MISSING:
            raise Skip(f"{program} is not installed")
        raise Wrong(f"there is no {program}")

    def pid(self):
        """Of a server that waits for connections."""
        if self.echo is None:
            if not (self.build / "tools/proa-echo").exists():
                raise Skip("the tools are not built")
            log = pathlib.Path(self.folder) / "echo.log"
            with open(log, "w", encoding="utf-8") as output:
                self.echo = subprocess.Popen([self.build / "tools/proa-echo", "--listen", "127.0.0.1:0"], stdout=output,
                                             stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            while "listening on" not in log.read_text(encoding="utf-8"):
                if self.echo.poll() is not None:
                    raise Wrong("proa-echo ended: " + log.read_text(encoding="utf-8"))
                time.sleep(0.01)
        return str(self.echo.pid)

    def run(self, command):
        program = shlex.split(command)[0]
        if program.startswith("build/"):
            self.find(program)  # the folder has a link to `build`
        self.need(program)
        command = re.sub(r"\bADDRESS\b", "127.0.0.1", command)
        if re.search(r"\bPID\b", command):
            command = re.sub(r"\bPID\b", self.pid(), command)
        status, output = self.output("bash", "-eu", "-o", "pipefail", "-c", command)
        if status != 0 and re.search("not permitted|Permission denied", output):
            raise Skip("this machine does not permit it")
        if status != 0:
            raise Wrong(f"exit status {status}: {output}")

    def find(self, program):
        """The file of a program, by the name that a guide gives it."""
        path = pathlib.PurePath(program)
        if path.parts[0] == "build" or not path.parent.name and (self.root / f"bench/{program}.cpp").exists():
            inside = pathlib.PurePath(*path.parts[1:]) if path.parts[0] == "build" else "bench" / path
            folder = self.root / inside.parent / "meson.build"
            if not folder.exists() or f"'{path.name}'" not in folder.read_text(encoding="utf-8"):
                raise Wrong(f"nothing makes {program}")
            if not (self.build / inside).exists():
                raise Skip(f"{program} is not built")
            return self.build / inside
        if program.startswith("proa-"):
            return self.find(f"build/tools/{program}")
        if path.parent.name:
            if not os.access(self.root / path, os.X_OK):
                raise Wrong(f"{program} is not in the repository")
            return self.root / path
        if program == "meson":
            return self.meson
        self.need(program)
        return program

    def knows(self, words):
        """One program with its arguments: that there is the one, and that it knows the others."""
        program = self.find(words[0])
        name = pathlib.PurePath(program).name
        chosen = words[1] if name in SUBCOMMANDS and len(words) > 1 and not words[1].startswith("-") else ""
        dry = DRY_RUNS.get(f"{name} {chosen}".strip()) or (DRY_RUNS["tests"] if words[0].startswith("build/tests/") else None)
        if dry:
            arguments = [self.build if words[at - 1] == "-C" else word for at, word in enumerate(words) if at > 0]
            status, output = self.output(program, *arguments, *(word for word in dry if word not in arguments))
            if "No tests defined" in output and "--benchmark" in words:
                raise Skip("there are no benchmarks in this build")
            # Catch2 2 has the number of tests as exit status.
            if not output.strip() or status != 0 and "matching test case" not in output:
                raise Wrong(f"{' '.join(dry)}: exit status {status}: {output}")
            return
        if "/" in words[0] and not words[0].startswith("build/"):  # a script of the repository
            text = pathlib.Path(program).read_text(encoding="utf-8")
        else:
            text = self.help(program, "-h" if name in ("perf", "setcap") else "--help")
        if chosen:
            if not re.search(rf"\b{re.escape(chosen)}\b", text):
                raise Wrong(f"{name} has no {chosen}")
            text = self.help(program, chosen, SUBCOMMANDS[name])
        options = (self.root / "meson_options.txt").read_text(encoding="utf-8")
        for word in words[1:]:
            word = word.strip("[]").split("=")[0]
            if word.startswith("-D"):
                known = f"'{word[2:]}'" in options
            else:
                known = not word.startswith("-") or re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)
            if not known:
                raise Wrong(f"{name} does not know {word}")

    def attempt(self, command, how):
        if how == "run":
            self.run(command)
        elif how.startswith("elsewhere"):
            raise Skip(how)
        else:
            synopsis = "[-" in command  # where a | stands between alternatives
            for part in [command.replace("|", "")] if synopsis else re.split(r"\s*(?:&&|;|\|)\s+", command):
                words = shlex.split(part)
                if words[0] == "sudo":
                    words = words[1:]
                self.knows(words)


def main():
    root, build, meson, found, folder = sys.argv[1:]
    machine = Machine(root, build, meson, folder)
    listed = read_list()
    places = {}
    with open(found, encoding="utf-8") as lines:
        for line in lines:
            place, command = line.rstrip("\n").split("\t")
            places.setdefault(command, place)
    try:
        for command, place in places.items():
            result = "ok"
            why = ""
            try:
                if command not in listed:
                    raise Wrong(f"commands.txt does not say how to try this one of {place}")
                machine.attempt(command, listed[command])
            except (Skip, Wrong) as problem:
                result = "skip" if isinstance(problem, Skip) else "not ok"
                why = f"{place}: {problem}"
            print(result, command, " ".join(why.split()), sep="\t", flush=True)
    finally:
        if machine.echo is not None:
            machine.echo.kill()
            machine.echo.wait()
    for command in listed:
        if command not in places:
            print("not ok", command, "no guide has this command of commands.txt", sep="\t")


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main()
