#!/usr/bin/env python3
"""Takes the guides apart: README.md and its neighbours, docs/*.md. Arguments: source root, a folder, which gets

  PAGE-N.cpp      a block marked cpp, which is a whole program
  PAGE-N.sh       a block marked "sh run", which is run as a script
  units/NAME      a block marked ini, a unit of systemd; its first line is its path in a comment
  commands        PAGE:LINE, a tab, and a command: each line of a block marked sh, and each command in the text

Code in the text counts as a command if it has several words of which the first looks like a program's name, or if it is a path
below build/ or tools/; and so does what commands.txt lists. A block marked text is neither code nor commands. Whatever else
looks like a block is a problem: problems go to the standard output, and the exit status is 1."""
import pathlib
import re
import sys

import commands

KINDS = ("cpp", "sh run", "sh", "ini", "text")
NOT_PROGRAMS = ("const", "delete", "int", "operator", "return", "void", "while")  # words of C++
problems = []


def is_command(text):
    first, *others = text.split()
    if not others:
        return re.match(r"(build|tools)/[\w/-]+$", text) is not None
    return re.match(r"[a-z.][\w./+-]*$", first) is not None and first not in NOT_PROGRAMS and not re.match("[=<>!]=?$", others[0])


def commands_of_block(first, lines):
    """(line number, command) of each; a line that begins with spaces goes on with the one before."""
    found = []
    for number, line in enumerate(lines, first):
        line = re.sub(r"(^|\s+)# .*", "", line)
        if line.startswith(" ") and line.strip() and found:
            found[-1] = (found[-1][0], found[-1][1] + " " + line.strip())
        elif line.strip():
            found.append((number, line.strip()))
    return found


def commands_of_text(text, listed):
    for match in re.finditer(r"`([^`]+)`", text):
        code = " ".join(match[1].replace("\\|", "|").split())
        if code and (code in listed or is_command(code)):
            yield text.count("\n", 0, match.start()) + 1, code


def take_block(kind, where, lines, stem, folder, listed):
    content = "\n".join(lines) + "\n"
    if kind == "cpp":
        stem.with_suffix(".cpp").write_text(content, encoding="utf-8")
        if "int main" not in content:
            problems.append(f"{where}: a block of C++ is a whole program, this has no main()")
    elif kind == "sh run":
        stem.with_suffix(".sh").write_text(content, encoding="utf-8")
    elif kind == "ini":
        path = re.match(r"# /\S+/(\S+)\n", content)
        if path:
            (folder / "units" / path[1]).write_text(content, encoding="utf-8")
        else:
            problems.append(f"{where}: the first line of a unit is its path, in a comment")
    elif kind == "text":
        programs = {command.split()[0] for command in listed}
        for line in lines:
            if line.split()[:1] and line.split()[0] in programs:
                problems.append(f"{where}: a block marked text has a command: {line}")


def take_page(page, folder, listed):
    """Returns the (line number, command)s of a page."""
    found, text, block = [], [], []
    kind = None
    blocks = 0
    previous = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{page.name}:{number}"
        if kind is not None and line == "```":
            blocks += 1
            first = number - len(block)
            take_block(kind, f"{page.name}:{first}", block, folder / f"{page.stem}-{blocks}", folder, listed)
            if kind == "sh":
                found += commands_of_block(first, block)
            kind = None
        elif kind is not None:
            block.append(line)
        elif re.match(r"\s*(```|~~~|<pre)", line):
            kind, block = line[3:], []
            if not line.startswith("```") or kind not in KINDS:
                problems.append(f"{where}: a block is marked with one of these, after ``` at the line's begin: {', '.join(KINDS)}")
        elif re.match(r" {4}|\t", line) and not previous.strip():
            problems.append(f"{where}: an indented block does not say what it is; write ``` and one of these: {', '.join(KINDS)}")
        previous = line
        text.append(line if kind is None and line != "```" else "")
    if kind is not None:
        problems.append(f"{page.name}: the last block has no end")
    return found + list(commands_of_text("\n".join(text), listed))


def main():
    root, folder = (pathlib.Path(argument) for argument in sys.argv[1:])
    (folder / "units").mkdir(parents=True)
    listed = commands.read_list()
    pages = sorted(root.glob("*.md")) + sorted(root.glob("docs/*.md"))
    with open(folder / "commands", "w", encoding="utf-8") as output:
        for page in pages:
            for line, command in take_page(page, folder, listed):
                output.write(f"{page.name}:{line}\t{' '.join(command.split())}\n")
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
