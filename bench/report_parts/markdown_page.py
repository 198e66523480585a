"""The document as Markdown. Its charts are left out: their numbers are in the tables."""
import re

from . import document


def escape(text):
    text = re.sub(r"([\\`*_{}\[\]|~#!@$])", r"\\\1", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("://", ":\\//").replace("www.", "www\\.")  # no address becomes a link by itself


def table(part):
    def row(cells):
        return "| " + " | ".join(cells) + " |"

    def cell(text, small):
        return f"{escape(text)} ({escape(small)})" if small else escape(text)

    return [row(map(escape, part.columns)), row(["---"] + ["---:"] * (len(part.columns) - 1)),
            *(row(cell(*each) for each in line) for line in part.rows)]


def items(part):
    return [line for title, below in part.items
            for line in (f"- **{escape(title)}**", *(f"  - {escape(text)}" for text in below))]


def section(part):
    return "\n\n".join("\n".join(lines_of(each)) for each in part.parts).split("\n")


LINES = {
    document.Heading: lambda part: ["#" * part.level + " " + escape(part.text)],
    document.Paragraph: lambda part: [escape(part.text)],
    document.Items: items,
    document.Pairs: lambda part: [f"- {escape(key)}: {escape(value)}" for key, value in part.pairs],
    document.Code: lambda part: ["    " + line for line in part.lines],
    document.Table: table,
    document.Key: lambda part: ["Charts are in the HTML only."],
    document.Measured: lambda part: table(part.table),
    document.Section: section,
}


def lines_of(part):
    return LINES[type(part)](part)


def write(page):
    return "\n".join(["# " + escape(page.title), "", *section(page)]) + "\n"
