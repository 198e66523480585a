"""How numbers are written, the same in every page."""


def plain(value):
    """Four digits, or all those before the point: 4.4, 183,000."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def ratio(value):
    return f"{value:.3f}" if value < 10 else plain(value)


def span(spread, write=plain):
    return f"{write(spread.min)} to {write(spread.max)}"


def percent(part):
    """Of a part of 1, without a sign."""
    value = abs(part) * 100
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %"


def duration(seconds):
    minutes = int(seconds) // 60
    return f"{minutes} min {int(seconds) % 60} s" if minutes else f"{plain(seconds)} s"


def many(count, one, more):
    return f"{count} {one if count == 1 else more}"
