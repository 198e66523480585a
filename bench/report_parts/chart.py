"""A bar for each contestant of a comparison, as SVG. Positions are parts of the width, so that text keeps its size on
every screen. Roles differ by pattern, and are named beside every bar."""
from html import escape

from . import figures
from .results import ROLES

ROW = 46  # pixels for one contestant: its name above, its bar below
TOP, HEIGHT = 20, 16  # of the bar in its row
LETTERS = 24  # of a name that fit beside the number on a small screen; the whole name is in the table

# Referred to by all charts of a page. Ours is plain.
PATTERNS = """<svg class="patterns" width="0" height="0" aria-hidden="true"><defs>
<pattern id="floor" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="back"
 width="7" height="7"/><rect class="ink floor" width="2.5" height="7"/></pattern>
<pattern id="peer" width="7" height="7" patternUnits="userSpaceOnUse"><rect class="back" width="7" height="7"/><circle
 class="ink peer" cx="3.5" cy="3.5" r="2"/></pattern>
<pattern id="given" width="6" height="6" patternUnits="userSpaceOnUse"><rect class="back" width="6" height="6"/><rect
 class="ink given" width="6" height="2"/></pattern>
</defs></svg>"""

KEY = '<ul class="key">' + "".join(
    f'<li><svg width="28" height="14" aria-hidden="true"><rect class="bar {role}" x="1" y="1" width="26" height="12"/></svg>'
    f"{role}</li>" for role in ROLES) + """<li><svg width="28" height="14" aria-hidden="true"><path class="whisker"
 d="M2 7H26M2 2V12M26 2V12"/></svg>smallest to largest; › goes on</li></ul>"""


def shorten(name):
    return name if len(name) <= LETTERS else name[:LETTERS - 1] + "…"


def line(kind, x1, x2, y1, y2):
    return f'<line class="{kind}" x1="{x1:.2f}%" x2="{x2:.2f}%" y1="{y1}" y2="{y2}"/>'


def draw(comparison):
    contestants = comparison.contestants
    # One turn that was held up must not make all bars short.
    end = min(max(one.value.max for one in contestants), 2 * max(one.value.median for one in contestants))
    start = min(0, *(one.value.min for one in contestants))
    width = end - start if end > start else 1

    def place(value):
        return min(max((value - start) / width, 0), 1) * 98  # of 100; the rest is for what sticks out

    parts = []
    for number, one in enumerate(contestants):
        y = number * ROW
        middle = y + TOP + HEIGHT // 2
        low, high = place(one.value.min), place(one.value.max)
        left, right = sorted((place(0), place(one.value.median)))
        parts.append(f'<text x="0" y="{y + 14}"><tspan class="name">{escape(shorten(one.name))}</tspan> {one.role}</text>'
                     f'<text class="number" x="100%" y="{y + 14}">{figures.plain(one.value.median)}</text>'
                     f'<rect class="bar {one.role}" x="{left:.2f}%" width="{right - left:.2f}%" y="{y + TOP}" height="{HEIGHT}"/>')
        for kind in ("halo", "whisker"):
            parts.append(line(kind, low, high, middle, middle) + line(kind, low, low, middle - 5, middle + 5))
            if one.value.max <= end:
                parts.append(line(kind, high, high, middle - 5, middle + 5))
        if one.value.max > end:
            parts.append(f'<text class="number" x="100%" y="{middle + 5}">›</text>')
    title = escape(f"{comparison.quantity} in {comparison.unit}: {comparison.title}")
    return f'<svg class="chart" role="img" aria-label="{title}" width="100%" height="{len(contestants) * ROW}">{"".join(parts)}</svg>'
