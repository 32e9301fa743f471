"""What each signal of a VOD says over time, for the page: how much more of a highlight than it usually does."""

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lolhl.errors import StorageError
from lolhl.manifest import Manifest
from lolhl.models import unsupervised
from lolhl.report.page import Curve
from lolhl.results import Scoring, Vod
from lolhl.signals.chat import Line, stored_lines
from lolhl.storage import Root
from lolhl.tables import Scored

log = logging.getLogger(__name__)


def signal_curves(root: Root, stored: Manifest[Vod], scoring: Scoring, scored: Scored) -> list[Curve]:
    """The curves of a VOD's signals.

    Those that the scores are made of have one scale, so that it is seen which of them drove a highlight. A chat that
    is stored is shown besides where the scores do not know it; one that is gone or damaged is left out, with a warning.
    """
    above = {name: np.maximum(part - np.median(part), 0) for name, part in scored.parts.items() if len(part)}
    highest = max((float(part.max()) for part in above.values()), default=0.0)
    curves = [Curve(name, part / (highest or 1.0)) for name, part in above.items()]
    lines = None if "chat" in scored.parts else _lines(root, stored)
    if lines and len(scored.probabilities):
        curves.append(Curve("chat", _chat([line.time for line in lines], len(scored.probabilities), scoring)))
    return curves


def _lines(root: Root, stored: Manifest[Vod]) -> Sequence[Line] | None:
    try:
        return stored_lines(root, stored)
    except StorageError as error:
        log.warning("report %s: its chat is not drawn: %s", stored.result.vod, error)
        return None


def _chat(times: list[float], count: int, scoring: Scoring) -> npt.NDArray[np.float64]:
    """How far the messages a second lie above what is usual in the VOD, from 0 to 1: float64 [count].

    Each stands where that happened of which people write.
    """
    places = np.floor(np.array(times) * float(scoring.fps)).astype(np.int64)
    written = np.bincount(places[(places >= 0) & (places < count)], minlength=count).astype(np.float64)
    known = np.ones(count, dtype=bool)
    moved, _ = unsupervised.earlier(written, known, scoring.fps, unsupervised.CHAT_LAG)
    above = np.maximum(unsupervised.standardised(moved, known, scoring.fps)[0], 0)
    return np.asarray(above / (above.max() or 1.0))
