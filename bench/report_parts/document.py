"""What stands in the page, in which order, whatever it is written as."""
from __future__ import annotations

import dataclasses
import math
import shlex

from . import figures, published
from .results import Comparison
from .verdicts import duels

COLUMNS = ["contestant", "median", "ratio", "runs", "errors"]


@dataclasses.dataclass
class Heading:
    level: int
    text: str


@dataclasses.dataclass
class Paragraph:
    text: str


@dataclasses.dataclass
class Items:
    """Each is a title and what is under it."""
    items: list[tuple[str, list[str]]]


@dataclasses.dataclass
class Pairs:
    pairs: list[tuple[str, str]]


@dataclasses.dataclass
class Code:
    lines: list[str]


@dataclasses.dataclass
class Table:
    """A cell is its text and what stands smaller below it. The first of a row names the row."""
    columns: list[str]
    rows: list[list[tuple[str, str]]]


class Key:
    """What the charts that follow are drawn with."""


@dataclasses.dataclass
class Measured:
    """A comparison: its chart, and beside that its table."""
    comparison: Comparison
    table: Table


@dataclasses.dataclass
class Section:
    """Parts that stand out: "losses", or "foreign" for what was not measured here."""
    kind: str
    parts: list


@dataclasses.dataclass
class Document:
    title: str
    parts: list


def where(comparison):
    return f"{comparison.group}, {comparison.title}: {comparison.quantity or 'not measured'}"


def by_how_much(duel):
    comparison, spread = duel.comparison, duel.quotient
    more = "more" if comparison.better == "lower" else "less"
    rival = f"{duel.rival.name} ({duel.rival.role})"
    if not math.isfinite(spread.median) or spread.median == 0:
        return (f"{duel.ours.name} has {figures.plain(duel.ours.value.median)} {comparison.unit}, "
                f"{rival} has {figures.plain(duel.rival.value.median)}")
    amount = f"{figures.percent(spread.median - 1)} {more} than"
    if spread.median >= 2:
        amount = f"{figures.plain(spread.median)} times that of"
    return f"{duel.ours.name} has {amount} {rival}: ratio {figures.ratio(spread.median)}, {figures.span(spread, figures.ratio)}"


def grouped(found):
    """By comparison, in the order of the worst of each."""
    lines = {}
    for duel in found:
        lines.setdefault(where(duel.comparison), []).append(by_how_much(duel))
    return Items(list(lines.items()))


def has_rivals(comparison):
    return {"ours"} < {"ours" if one.role == "ours" else "rival" for one in comparison.contestants}


def losses(judged, comparisons):
    lost = [duel for duel in judged if duel.beyond_spread]
    behind = [duel for duel in judged if duel.by > 1 and not duel.beyond_spread]
    names = {duel.comparison.name for duel in lost}
    among = {duel.comparison.name for duel in judged}
    refused = sum(1 for one in comparisons if one.name not in among and has_rivals(one))
    skipped = sum(1 for one in comparisons if one.skipped)
    parts = [Heading(2, "Losses"), Paragraph(
        f"A floor, a peer or a given program beats proa beyond the spread in {len(names)} of "
        f"{figures.many(len(among), 'comparison', 'comparisons')} that can be judged"
        f"{f'; {refused} more cannot be judged, because ratios were refused' if refused else ''}"
        f"{f'; {skipped} more could not be run' if skipped else ''}.")]
    if lost:
        parts.append(grouped(lost))
    if behind:
        parts += [Heading(3, "Behind at the median, within the spread"), grouped(behind)]
    parts.append(Paragraph(
        "A ratio is proa divided by the other one: its median over all turns and its spread, which is two standard errors "
        "of the median to both sides where they are known, else the smallest to the largest turn. It is a loss beyond the "
        "spread when all of that is on the bad side of 1. Between two that were both measured as ratios to a third, it "
        "is the quotient of these, with both spreads; where there are none, that of the values."))
    return Section("losses", parts)


def troubles(comparisons):
    """What has no numbers, what has numbers but no ratio, and what has errors."""
    items = [(f"Skipped: {one.group}, {one.title}", [one.skipped]) for one in comparisons if one.skipped]
    for one in comparisons:
        refused = [f"{who.name}: {who.refused}" for who in one.contestants if who.refused]
        if refused:
            items.append((f"No ratio: {where(one)}", refused))
        wrong = [f"{who.name}: {figures.plain(who.errors)}" for who in one.contestants if who.errors]
        if wrong:
            items.append((f"Errors: {where(one)}", wrong))
    return [Heading(2, "Refused and skipped"), Items(items) if items else Paragraph("Nothing.")]


def fact(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else figures.plain(value)


def circumstances(results):
    facts = [(key.replace("_mib", ", MiB").replace("_", " "), fact(value)) for key, value in results.machine.items()]
    command = results.command if "--json" in results.command else results.command + " --json results.json"
    return [Heading(2, "Machine"), Pairs(facts + [("measured", results.date), ("took", figures.duration(results.seconds))]),
            Heading(2, "Versions"), Pairs(list(results.versions.items())) if results.versions else Paragraph("None are known."),
            Heading(2, "To measure it again"),
            Code([command, f"bench/report {shlex.quote(results.source)} -o report.html"])]


def table_of(comparison):
    details = list(dict.fromkeys(key for one in comparison.contestants for key in one.details))
    rows = []
    for one in comparison.contestants:
        ratio = ("", "")
        if one.ratio:
            error = f" ± {figures.ratio(2 * one.ratio.error)}" if one.ratio.error is not None else ""
            ratio = (figures.ratio(one.ratio.median) + error, f"{figures.span(one.ratio, figures.ratio)} of {one.ratio.to}")
        elif one.refused:
            ratio = ("refused", one.refused)
        role = f"{one.role}, {one.backend}" if one.backend else one.role
        numbers = [figures.plain(one.details[key]) if key in one.details else "" for key in details]
        rows.append([(one.name, role), (figures.plain(one.value.median), figures.span(one.value)), ratio,
                     (figures.plain(one.runs), ""), (figures.plain(one.errors), "")] + [(text, "") for text in numbers])
    return Table([COLUMNS[0], f"{comparison.quantity}, {comparison.unit}", *COLUMNS[2:], *details], rows)


def groups(comparisons):
    parts = []
    for group in dict.fromkeys(one.group for one in comparisons):
        parts.append(Heading(2, group))
        for one in comparisons:
            if one.group == group:
                parts.append(Heading(3, one.title))
                parts += [Paragraph(f"Skipped: {one.skipped}")] if one.skipped else [
                    Paragraph(f"{one.quantity}, in {one.unit}; {one.better} is better"), Measured(one, table_of(one))]
                parts += [Paragraph(one.note)] if one.note else []
    return parts


def elsewhere():
    rows = [[(what, ""), (figures.plain(value), ""), (unit, "")] for what, value, unit in published.FIGURES]
    return Section("foreign", [Heading(2, published.TITLE), Paragraph(published.CAVEAT),
                               Table(["what", "published", "unit"], rows)])


def make(results):
    judged = duels(results.comparisons)
    return Document(f"proa beside floors and peers, {results.date.split('T')[0]}", [
        losses(judged, results.comparisons), *troubles(results.comparisons), *circumstances(results),
        Key(), *groups(results.comparisons), elsewhere()])
