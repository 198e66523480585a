"""Who beat ours, and by how much."""
import dataclasses

from .results import Comparison, Contestant, Spread


@dataclasses.dataclass
class Duel:
    """Ours divided by a rival."""
    comparison: Comparison
    ours: Contestant
    rival: Contestant
    quotient: Spread

    def worse(self, value):
        """Above 1 where ours is worse, whichever way is better."""
        if self.comparison.better == "lower":
            return value
        return 1 / value if value > 0 else float("inf")

    @property
    def by(self):
        return self.worse(self.quotient.median)

    @property
    def beyond_spread(self):
        """The whole of the spread is on the bad side."""
        return self.worse(self.quotient.min) > 1 and self.worse(self.quotient.max) > 1


def relative(contestant, reference):
    """To the reference of the other one, if that is known."""
    if contestant.ratio:
        return contestant.ratio.certain() if contestant.ratio.to == reference else None
    return Spread(1, 1, 1) if contestant.name == reference else None


def divide(upper, lower):
    if lower > 0:
        return upper / lower
    return float("inf") if upper > 0 else 1


def quotient(ours, rival):
    """Of the ratios to the same reference, which are within rounds; else of the values themselves. The ends of the
    spread are as far apart as both spreads allow. None when one of the two was refused a ratio, or is below zero."""
    if ours.refused or rival.refused:
        return None
    reference = (ours.ratio or rival.ratio).to if ours.ratio or rival.ratio else ""
    upper, lower = relative(ours, reference), relative(rival, reference)
    if not upper or not lower:
        upper, lower = ours.value, rival.value
    if lower.min < 0 or upper.min < 0:
        return None
    return Spread(divide(upper.min, lower.max), divide(upper.median, lower.median), divide(upper.max, lower.min))


def duels(comparisons):
    """All that can be judged, the worst for ours first."""
    found = []
    for comparison in comparisons:
        for ours in comparison.contestants:
            for rival in comparison.contestants:
                if ours.role == "ours" and rival.role != "ours":
                    spread = quotient(ours, rival)
                    if spread:
                        found.append(Duel(comparison, ours, rival, spread))
    return sorted(found, key=lambda duel: -duel.by)
