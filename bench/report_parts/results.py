"""Reads the JSON of `compare`. What is not as it should be is a BadInput that names the file and the key."""
from __future__ import annotations

import dataclasses
import json
import math
import re
import unicodedata

ROLES = ("ours", "floor", "peer", "given")


class BadInput(Exception):
    pass


@dataclasses.dataclass
class Spread:
    min: float
    median: float
    max: float


@dataclasses.dataclass
class Ratio(Spread):
    to: str
    error: float | None  # standard error of the median

    def certain(self):
        """Between what the median is: extremes of many turns say nothing of that."""
        if self.error is None:
            return self
        return Spread(max(self.median - 2 * self.error, 0), self.median, self.median + 2 * self.error)


@dataclasses.dataclass
class Contestant:
    name: str
    role: str
    backend: str
    runs: int
    value: Spread
    ratio: Ratio | None
    refused: str
    errors: int
    details: dict[str, float]


@dataclasses.dataclass
class Comparison:
    name: str
    group: str
    title: str
    skipped: str
    note: str
    quantity: str = ""
    unit: str = ""
    better: str = ""
    contestants: list[Contestant] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Results:
    source: str
    command: str
    date: str
    seconds: float
    machine: dict[str, str | float | bool]
    versions: dict[str, str]
    comparisons: list[Comparison]


def clean(text):
    """Without what is not seen or cannot be encoded: controls, changes of direction, halves of surrogates."""
    return "".join("\ufffd" if unicodedata.category(letter).startswith("C") else letter for letter in text)


class Keys:
    """An object of the JSON that knows where it stands."""

    def __init__(self, file, path, value):
        self.file, self.path, self.value = file, path, value
        if not isinstance(value, dict):
            raise BadInput(f"{file}: {path or 'the whole'}: is not an object")

    def where(self, key):
        return f"{self.path}.{clean(key)}" if self.path else clean(key)

    def bad(self, key, what):
        return BadInput(f"{self.file}: {self.where(key)}: {what}")

    def get(self, key):
        if key not in self.value:
            raise self.bad(key, "is missing")
        return self.value[key]

    def text(self, key):
        value = self.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.bad(key, "is not a text")
        return clean(value)

    def text_if_there(self, key):
        return self.text(key) if key in self.value else ""

    def one_of(self, key, choices):
        value = self.text(key)
        if value not in choices:
            raise self.bad(key, "is not one of " + ", ".join(choices))
        return value

    def number(self, key):
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value):
            raise self.bad(key, "is not a number")
        return value

    def count(self, key):
        value = self.number(key)
        if value != int(value) or value < 0:
            raise self.bad(key, "is not a count")
        return int(value)

    def object(self, key):
        return Keys(self.file, self.where(key), self.get(key))

    def objects(self, key):
        values = self.get(key)
        if not isinstance(values, list) or not values:
            raise self.bad(key, "is not a list with something in it")
        return [Keys(self.file, f"{self.where(key)}[{index}]", value) for index, value in enumerate(values)]

    def spread(self):
        low, median, high = self.number("min"), self.number("median"), self.number("max")
        if not low <= median <= high:
            raise self.bad("median", "is not between min and max")
        return low, median, high


def is_finite(number):
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number that no double can hold
        return False


def ratio_of(keys):
    low, median, high = keys.spread()
    if low < 0:
        raise keys.bad("min", "is negative")
    error = keys.number("error") if "error" in keys.value else None
    if error is not None and error < 0:
        raise keys.bad("error", "is negative")
    return Ratio(low, median, high, keys.text("to"), error)


def contestant_of(keys):
    details = keys.object("details") if "details" in keys.value else Keys(keys.file, "", {})
    if "ratio" in keys.value and "refused" in keys.value:
        raise keys.bad("refused", "stands beside a ratio")
    return Contestant(
        name=keys.text("name"), role=keys.one_of("role", ROLES), backend=keys.text_if_there("backend"),
        runs=keys.count("runs"), value=Spread(*keys.spread()),
        ratio=ratio_of(keys.object("ratio")) if "ratio" in keys.value else None,
        refused=keys.text_if_there("refused"), errors=keys.count("errors"),
        details={clean(key): details.number(key) for key in details.value})


def comparison_of(keys):
    name = keys.text("name")
    if not re.fullmatch("[a-z0-9-]+", name):
        raise keys.bad("name", "is not of a-z, 0-9 and -")
    comparison = Comparison(name, keys.text("group"), keys.text("title"), keys.text_if_there("skipped"),
                            keys.text_if_there("note"))
    if not comparison.skipped:
        comparison.quantity, comparison.unit = keys.text("quantity"), keys.text("unit")
        comparison.better = keys.one_of("better", ("lower", "higher"))
        comparison.contestants = [contestant_of(one) for one in keys.objects("contestants")]
        unique(keys, "contestants", comparison.contestants)
    return comparison


def unique(keys, key, things):
    seen = set()
    for index, thing in enumerate(things):
        if thing.name in seen:
            raise keys.bad(f"{key}[{index}].name", f"there is another {thing.name}")
        seen.add(thing.name)


def fact(keys, key):
    """Of the machine: a text, a number, or whether something is so."""
    value = keys.get(key)
    return value if isinstance(value, bool) else clean(value) if isinstance(value, str) else keys.number(key)


def refuse_constant(name):
    raise ValueError(f"{name} is not a number")


def read(path):
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:  # also what is not UTF-8
        raise BadInput(f"{clean(str(path))}: is not JSON: {error}") from None
    keys = Keys(clean(str(path)), "", loaded)
    if keys.number("format") != 1:
        raise keys.bad("format", "is not 1, the only one that is known")
    machine = keys.object("machine")
    machine.text("cpu"), machine.text("kernel")  # no number says anything without them
    versions = keys.object("versions")
    results = Results(
        source=clean(path.name), command=keys.text("command"), date=keys.text("date"), seconds=keys.number("seconds"),
        machine={clean(key): fact(machine, key) for key in machine.value},
        versions={clean(key): versions.text(key) for key in versions.value},
        comparisons=[comparison_of(one) for one in keys.objects("comparisons")])
    unique(keys, "comparisons", results.comparisons)
    return results
