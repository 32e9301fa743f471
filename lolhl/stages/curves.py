"""What each signal of a VOD says over time, for the page: how much more of a highlight than it usually does."""

import logging

import numpy as np
import numpy.typing as npt

from lolhl.errors import StorageError
from lolhl.manifest import Manifest
from lolhl.models import unsupervised
from lolhl.report.page import Curve
from lolhl.results import Scoring, Vod
from lolhl.signals.source import VideoSource
from lolhl.stages.unsupervised import fitted, signal_of
from lolhl.storage import Root
from lolhl.tables import Scored

log = logging.getLogger(__name__)


def signal_curves(root: Root, stored: Manifest[Vod], scoring: Scoring, scored: Scored) -> list[Curve]:
    """The curves of a VOD's signals, on the grid of its scores.

    Those that the scores are made of have one scale, so that it is seen which of them drove a highlight. A chat that
    is stored is shown besides where the scores do not know it; one that is gone or damaged is left out, with a warning.
    """
    above = {name: np.maximum(part - np.median(part), 0) for name, part in scored.parts.items() if len(part)}
    highest = max((float(part.max()) for part in above.values()), default=0.0)
    curves = [Curve(name, part / (highest or 1.0)) for name, part in above.items()]
    if "chat" not in scored.parts and stored.result.chat:
        try:
            curves += _chat(root, stored, scoring, len(scored.probabilities))
        except StorageError as error:
            log.warning("report %s: its chat is not drawn: %s", stored.result.vod, error)
    return curves


def _chat(root: Root, stored: Manifest[Vod], scoring: Scoring, count: int) -> list[Curve]:
    """How far the messages a second lie above what is usual in the VOD, where they always were as many: nothing."""
    signal = fitted(*signal_of(VideoSource(root, stored), "chat", scoring.fps), count)
    above, known = unsupervised.standardised(*signal, scoring.fps)
    risen: npt.NDArray[np.float64] = np.maximum(above, 0)
    return [Curve("chat", risen / (risen.max() or 1.0))] if known.any() else []
