"""Scores of a VOD without a model: by how loud it is and what is written in its chat, against its own baseline.

Sound and chat take seconds. Pictures are looked at only where most of the VOD has neither, and then its key frames.
"""

import hashlib
import logging
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl.models import unsupervised
from lolhl.models.unsupervised import CHAT_LAG, NAME, VERSION, Known, Signals, Values
from lolhl.signals import Signal, make_track
from lolhl.signals.chat import COLUMNS, ChatSignal
from lolhl.signals.motion import MotionSignal
from lolhl.signals.sound import LoudnessSignal
from lolhl.signals.source import VideoSource
from lolhl.tracks.recipe import Layout
from lolhl.vod import decode
from lolhl.vod.view import USUAL, View

log = logging.getLogger(__name__)

FPS = USUAL.fps
SIDE = 64  # pixels of the key frames, where motion is looked at
_MOSTLY = 0.5  # share of a VOD that must be known, for pictures to be left out

DIGEST = hashlib.sha256(f"{NAME} {VERSION}".encode()).hexdigest()


def measure(source: VideoSource, fps: Fraction = FPS) -> Signals:
    """The signals that are joined, all of one length. Tracks are stored.

    Raises:
        LolhlError: the video or the chat cannot be read.
    """
    signals = {name: signal_of(source, name, fps) for name in ("loudness", "chat")}
    if max(_share_known(*signal, fps) for signal in signals.values()) < _MOSTLY:
        log.info("%s: most of it has no sound and no chat, so that its key frames are looked at", source.vod)
        signals["motion"] = signal_of(source, "motion", fps)
    count = max(len(values) for values, _ in signals.values())
    return {name: fitted(*signal, count) for name, signal in signals.items()}


def signal_of(source: VideoSource, name: str, fps: Fraction = FPS) -> tuple[Values, Known]:
    """One of `unsupervised.WEIGHTS` of a VOD: values [T], higher where more happens, and which are known: bool [T]."""
    if name == "loudness":
        return _column(LoudnessSignal(fps), source, 0)
    if name == "chat":
        return unsupervised.earlier(*_column(ChatSignal(fps), source, COLUMNS.index("messages")), fps, CHAT_LAG)
    layout: Layout = "scan" if decode.choose_mode(source.path, "scan", "cpu") == "scan" else "grid"
    values, _ = _column(MotionSignal(View(fps, SIDE, "squeeze")), source, 0, layout)
    return values, np.ones(len(values), dtype=bool)


def fitted(values: Values, known: Known, count: int) -> tuple[Values, Known]:
    """The first instants. Those that are missing are not known."""
    missing = max(0, count - len(values))
    return np.pad(values[:count], (0, missing)), np.pad(known[:count], (0, missing))


def _share_known(values: Values, known: Known, fps: Fraction) -> float:
    """The share of the instants that the signal tells something of."""
    _, sure = unsupervised.standardised(values, known, fps)
    return float(sure.mean()) if len(sure) else 0.0


def _column(
    signal: Signal, source: VideoSource, column: int, layout: Layout = "grid"
) -> tuple[npt.NDArray[np.float64], Known]:
    track = make_track(signal, source, layout)
    window = track.read(0, len(track))
    if not window.values.shape[1]:  # a VOD without an instant
        return np.zeros(len(track)), window.known
    return window.values[:, column].astype(np.float64), window.known
