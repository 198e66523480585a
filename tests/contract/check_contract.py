#!/usr/bin/env python3
"""docs/CONTRACT.md and the tests agree: every test it names exists, every rule has tests, no test names another rule;
the tables of docs/STATES.md are those that the tests go through.
Arguments: docs/CONTRACT.md, test sources. Prints TAP."""
import pathlib
import re
import sys

path = pathlib.Path(sys.argv[1])
contract = path.read_text(encoding="utf-8")
states = path.with_name("STATES.md").read_text(encoding="utf-8")
tables = pathlib.Path(__file__).with_name("states_tables.hpp").read_text(encoding="utf-8")
case = re.compile(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+),\s*((?:"[^"]*"\s*)+)\)')
text = re.compile(r'"((?:[^"\\]|\\.)*)"')

tests = {}
for path in sys.argv[2:]:
    if not path.endswith(".cpp"):
        continue
    for match in case.finditer(open(path, encoding="utf-8").read()):
        name = "".join(text.findall(match[1]))
        tests[name] = set(re.findall(r"\[(R\d+)\]", match[2]))

problems = {"named tests exist": [], "rules have tests": [], "rules of tests exist": []}
rules = {}
for section in re.split(r"^## ", contract, flags=re.M)[1:]:
    rule = re.match(r"(R\d+):", section)
    named = re.findall(r'^- "(.*)"$', section, flags=re.M)
    for name in named:
        if name not in tests:
            problems["named tests exist"].append(f"no test is called: {name}")
        elif rule and rule[1] not in tests[name]:
            problems["named tests exist"].append(f"{rule[1]} names a test without its tag: {name}")
    if rule:
        rules[rule[1]] = named
for rule, named in rules.items():
    if not named:
        problems["rules have tests"].append(f"{rule} names none")
for name, tags in tests.items():
    for tag in tags - rules.keys():
        problems["rules of tests exist"].append(f"{tag} of: {name}")

def rows(table):
    return [line for line in table.splitlines() if line.startswith("|")]


def handler(table):
    return rows(table)[0].split("|")[1].strip()


documented = {handler(table): rows(table) for table in re.findall(r"(?:^\|.*\n)+", states, flags=re.M)}
tried = {handler(table): rows(table) for table in re.findall(r'R"\((.*?)\)"', tables, flags=re.S)}
problems["tables of states are those of the tests"] = [
    f"{name}: {line}" for name in documented.keys() | tried.keys()
    for line in set(documented.get(name, [])) ^ set(tried.get(name, []))]

print(f"1..{len(problems)}")
for number, (what, found) in enumerate(problems.items(), 1):
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"{'not ok' if found else 'ok'} {number} - contract: {what}")
sys.exit(any(problems.values()))
