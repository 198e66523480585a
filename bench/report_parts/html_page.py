"""The document as one page of HTML that needs nothing from outside."""
from html import escape

from . import chart, document

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1b1b1b; --soft: #595959; --edge: #c9c9c9; --tint: #f4f4f4;
  --ours: #0068a8; --floor: #5a5a5a; --peer: #b35900; --given: #00735a; --loss: #a32a00; }
@media (prefers-color-scheme: dark) { :root { --back: #15171a; --text: #e8e8e8; --soft: #a9adb3; --edge: #43484f;
  --tint: #1f2226; --ours: #56b4e9; --floor: #b5b5b5; --peer: #f0a030; --given: #3fc79a; --loss: #ff9a70; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--edge); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, li, dd { max-width: 60rem; } p { margin: .5rem 0; } ul { margin: .5rem 0; padding-left: 1.2rem; }
.losses { border-left: 4px solid var(--loss); padding-left: .75rem; } .losses h2 { margin-top: 0; }
dl { display: grid; grid-template-columns: fit-content(40%) 1fr; gap: 0 1rem; margin: .5rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
pre { background: var(--tint); padding: .5rem .75rem; white-space: pre-wrap; font-size: .875rem; }
.measured { display: grid; gap: .75rem 2rem; margin: .5rem 0; }
.measured > * { min-width: 0; }
@media (min-width: 60rem) { .measured { grid-template-columns: 22rem 1fr; } }
.chart { display: block; max-width: 34rem; overflow: visible; font-size: 14px; }
.chart text, .chart tspan { fill: var(--soft); } .chart .name { fill: var(--text); font-weight: 600; }
.chart .number { fill: var(--text); text-anchor: end; font-variant-numeric: tabular-nums; }
.bar { stroke-width: 1.5; } .back { fill: var(--back); }
.bar.ours { fill: var(--ours); stroke: var(--ours); } .bar.floor { fill: url(#floor); stroke: var(--floor); }
.bar.peer { fill: url(#peer); stroke: var(--peer); } .bar.given { fill: url(#given); stroke: var(--given); }
.ink.floor { fill: var(--floor); } .ink.peer { fill: var(--peer); } .ink.given { fill: var(--given); }
.halo { stroke: var(--back); stroke-width: 5; } .whisker { stroke: var(--text); stroke-width: 2; fill: none; }
.patterns { position: absolute; }
.key { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .875rem; }
.key li { display: flex; align-items: center; gap: .4rem; }
.scroll { overflow-x: auto; background: linear-gradient(to left, var(--back) 2rem, transparent) right / 4rem 100% local no-repeat,
  linear-gradient(to left, var(--edge), transparent) right / .75rem 100% scroll no-repeat; }
.scroll:focus-visible { outline: 2px solid var(--ours); }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.35; overflow-wrap: break-word; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--edge); text-align: right; vertical-align: top;
  font-variant-numeric: tabular-nums; }
th { font-weight: 600; } thead th { vertical-align: bottom; color: var(--soft); }
th:first-child { position: sticky; left: 0; background: var(--back); text-align: left; padding-left: 0;
  max-width: min(18rem, 40vw); }
td:has(small) { min-width: 7rem; } small { display: block; color: var(--soft); font-weight: 400; }
.foreign { border: 2px dashed var(--edge); padding: 0 1rem 1rem; margin-top: 3rem; } .foreign h2 { border: 0; margin-top: 1rem; }
"""

# Even if something of the input were to be taken for markup, it could neither run nor fetch anything.
HEAD = """<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">"""


def table(part):
    def cell(tag, text, small, attributes=""):
        return f"<{tag}{attributes}>{escape(text)}" + (f"<small>{escape(small)}</small>" if small else "") + f"</{tag}>"

    head = "".join(cell("th", column, "", ' scope="col"') for column in part.columns)
    rows = "\n".join("<tr>" + cell("th", *row[0], ' scope="row"') + "".join(cell("td", *each) for each in row[1:]) + "</tr>"
                     for row in part.rows)
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="table: {escape(part.columns[1])}"><table><thead><tr>'
            f"{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>")


def items(part):
    return "<ul>\n" + "\n".join(
        f"<li><strong>{escape(title)}</strong><ul>" + "".join(f"<li>{escape(text)}</li>" for text in below) + "</ul></li>"
        for title, below in part.items) + "\n</ul>"


def pairs(part):
    return "<dl>\n" + "\n".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in part.pairs) + "\n</dl>"


MARKUP = {
    document.Heading: lambda part: f"<h{part.level}>{escape(part.text)}</h{part.level}>",
    document.Paragraph: lambda part: f"<p>{escape(part.text)}</p>",
    document.Items: items,
    document.Pairs: pairs,
    document.Code: lambda part: f"<pre><code>{escape(chr(10).join(part.lines))}</code></pre>",
    document.Table: table,
    document.Key: lambda part: chart.KEY,
    document.Measured: lambda part: f'<div class="measured">{chart.draw(part.comparison)}\n{table(part.table)}</div>',
    document.Section: lambda part: f'<section class="{part.kind}">\n{join(part.parts)}\n</section>',
}


def join(parts):
    return "\n".join(MARKUP[type(part)](part) for part in parts)


def write(page):
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{HEAD}\n<title>{escape(page.title)}</title>\n<style>{STYLE}</style>\n'
            f"</head>\n<body>\n{chart.PATTERNS}\n<h1>{escape(page.title)}</h1>\n{join(page.parts)}\n</body>\n</html>\n")
