#!/usr/bin/env python3
"""docs/CONTRACT.md and the tests agree: every test it names exists, every rule has tests, no test names another rule.
Arguments: docs/CONTRACT.md, test sources. Prints TAP."""
import re
import sys

contract = open(sys.argv[1], encoding="utf-8").read()
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

print(f"1..{len(problems)}")
for number, (what, found) in enumerate(problems.items(), 1):
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"{'not ok' if found else 'ok'} {number} - contract: {what}")
sys.exit(any(problems.values()))
