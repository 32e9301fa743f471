"""Which signals drove a highlight: those that say more in its span than they usually do."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.highlights.cut import Highlight
from lolhl.labels.spans import Span

Parts = Mapping[str, npt.NDArray[np.floating]]
"""Signal → what it adds to the log-odds of a highlight, at each instant of the grid: [n]."""

_AS_MUCH = 0.5  # of what the strongest signal adds: those that add less did not drive it


def explain(highlights: list[Highlight], parts: Parts, fps: Fraction) -> list[Highlight]:
    """The same highlights, whose reasons name the signals that drove them. Without parts they stay as they are."""
    usual = {signal: float(np.median(values)) if len(values) else 0.0 for signal, values in parts.items()}
    explained = []
    for highlight in highlights:
        names = drivers(parts, usual, highlight.span, fps)
        reason = f"{highlight.reason}, driven by {' and '.join(names)}" if names else highlight.reason
        explained.append(replace(highlight, reason=reason))
    return explained


def drivers(parts: Parts, usual: Mapping[str, float], span: Span, fps: Fraction) -> list[str]:
    """The signals that drove a highlight, strongest first. None where there are fewer than two signals.

    Args:
        usual: signal → the median of its part over the VOD.
        span: of the highlight.
        fps: of the grid.
    """
    if len(parts) < 2:
        return []
    first, end = grid.first_frame_at(span.start, fps), grid.first_frame_at(span.stop, fps)
    risen = {signal: float(values[first : max(end, first + 1)].mean()) - usual[signal]
             for signal, values in parts.items() if first < len(values)}  # fmt: skip
    strongest = max(risen.values(), default=0.0)
    in_order = sorted(risen, key=lambda signal: -risen[signal])
    return [signal for signal in in_order if strongest > 0 and risen[signal] >= _AS_MUCH * strongest]
