#!/usr/bin/env python3
"""Doxygen's input filter: hands it the comments of a header as they are meant, each on the line that it has.
A comment speaks of all declarations below it, up to an empty line or the next comment (Doxygen would give it to the
first one alone); that of a class also of what stands directly below the class's head. The inline namespace of the ABI is
left out, so that things have the names that programs use."""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as header:
    lines = [re.sub(r"^(inline namespace v\d+ \{|\}  // namespace v\d+)$", "", line) for line in header.read().splitlines()]


def indent(n):
    return len(lines[n]) - len(lines[n].lstrip())


def without_comment(line):
    return re.sub(r"//.*", "", re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])\'', '""', line))


def begins(n, *words):
    return lines[n].lstrip().startswith(words)


def end_of_run(first):
    """The line behind the declarations that begin at a line, and how many of them have no comment of their own."""
    depth = bare = 0
    for n in range(first, len(lines)):
        if depth == 0 and not begins(n, "///<"):
            if not lines[n].strip() or begins(n, "//", "}", "#") or indent(n) < indent(first):
                return n, bare
            bare += indent(n) == indent(first) and "///<" not in lines[n]
        code = without_comment(lines[n])
        depth += len(re.findall(r"[{(]", code)) - len(re.findall(r"[})]", code))
    return len(lines), bare


behind = [""] * len(lines)  # what is added to a line
for n in range(1, len(lines)):
    if not lines[n].strip() or begins(n, "//", "#", "public:", "protected:", "private:"):
        continue
    end, bare = end_of_run(n)
    comment = n
    while begins(comment - 1, "///") and not begins(comment - 1, "///<"):
        comment -= 1
    head = n - 2 if begins(n - 1, "public:", "protected:") else n - 1
    if comment < n and bare > 1:
        behind[comment - 1] += " /** @{ */"
        behind[end - 1] += " /** @} */"
    elif re.match(r"\s*(class|struct)\b.*\{$", lines[head]) and bare > 0:
        behind[n - 1] += " /** @{ */ /** See the description of the class. */"
        behind[end - 1] += " /** @} */"
for line, more in zip(lines, behind):
    if more:
        line = re.sub(r"///<(.*)", r"/**<\1 */", line)
        line = re.sub(r"(?<!/)//(?!/).*", "", line)
    print(line + more)
