"""Two drawings for the report, as SVG without any text: the numbers stand beside them in words."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from evals.records import Figure

WIDTH, HEIGHT = 160, 20  # of an interval, in its own units
EDGE = 5  # keeps the dot inside
BARS = 40
ROUND_STEPS = (1, 2, 2.5, 5, 10)


def interval_svg(figure: Figure, most: float) -> str:
    """A dot at the value and a line over its interval, on a scale from 0 to `most`; empty without a value."""
    if figure.value is None or most <= 0:
        return ""
    scale = [f'<line class="scale" x1="{EDGE}" x2="{WIDTH - EDGE}" y1="10" y2="10"/>']
    scale += [f'<line class="scale" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="14"/>' for x in map(_x, (0, 0.5, 1))]
    whisker = ""
    if figure.low is not None and figure.high is not None:
        low, high = _x(figure.low / most), _x(figure.high / most)
        whisker = f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="10" y2="10"/>'
    dot = f'<circle cx="{_x(figure.value / most):.1f}" cy="10" r="4"/>'
    box = f'class="interval" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false"'
    return f"<svg {box}>{''.join(scale)}{whisker}{dot}</svg>"


def _x(share: float) -> float:
    return EDGE + (WIDTH - 2 * EDGE) * min(1.0, max(0.0, share))


def bins(values: Sequence[float]) -> tuple[float, list[int]]:
    """The width of a bin, a round number of seconds, and how many values are in each from 0 on.

    What lies far beyond the 99th of 100 values is counted in the last bin, so that one slow answer does not squeeze
    all others into a corner.
    """
    reach = min(max(values), 2 * quantile(values, 0.99))
    width = _round_up(reach / BARS) if reach > 0 else 0.1
    counts = [0] * min(BARS, 4 * (math.floor(reach / width / 4) + 1))  # so that the middle is a round number too
    for value in values:
        counts[min(len(counts) - 1, int(value / width))] += 1
    return width, counts


def _round_up(width: float) -> float:
    """The next of 1, 2, 2.5, 5 and 10 times a power of ten."""
    power = 10 ** math.floor(math.log10(width))
    return float(power * next(step for step in ROUND_STEPS if step * power >= width - 1e-12))


def histogram_svg(counts: Sequence[int]) -> str:
    """Bars side by side; the tallest fills the height. It is stretched over the width it is given."""
    heights = [100 * count / max(counts) for count in counts]
    bars = [
        f'<rect x="{10 * n + 1}" width="8" y="{100 - height:.1f}" height="{height:.1f}"/>'
        for n, height in enumerate(heights)
    ]
    box = f'class="histogram" viewBox="0 0 {10 * len(counts)} 100" preserveAspectRatio="none"'
    return f'<svg {box} aria-hidden="true" focusable="false">{"".join(bars)}</svg>'


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share lies, between the two nearest ones."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]
