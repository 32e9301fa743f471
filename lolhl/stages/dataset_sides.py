"""Assigns the frames of a dataset's VODs to its two sides, or drops them. The split itself is in `lolhl.data.split`."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.data import split, split_games
from lolhl.data.stretches import SplitVod
from lolhl.errors import DatasetError
from lolhl.labels.spans import Span, on_grid
from lolhl.labels.store import VodLabels
from lolhl.results import EventCount
from lolhl.stages.dataset_settings import GAMES, DatasetConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """What a dataset is made of, of one VOD.

    Attributes:
        frames: how many instants its grid has.
        spans: what is labelled.
        key, digest: of the manifest of its frame set, or of its video where it has none.
        labels_digest: of the file of labels.
        looked_at: the stretches that somebody has looked at; None for all of it.
        games, games_digest: that it shows, in order of time, where games are held out; and of what says so.
    """

    vod: str
    frames: int
    spans: Sequence[Span]
    key: str = ""
    digest: str = ""
    labels_digest: str = ""
    looked_at: Sequence[Span] | None = None
    games: Sequence[Span] = ()
    games_digest: str = ""

    def known(self, fps: Fraction) -> npt.NDArray[np.bool_] | None:
        """Which instants were looked at: bool [frames]. None for all."""
        return VodLabels(self.spans, self.looked_at).known(self.frames, fps)


@dataclass(frozen=True)
class Assigned:
    """A VOD after the split, with its counts of frames and of those in highlights: (all, positive).

    Attributes:
        natural, guard: of all frames that were looked at, and of those that the guard dropped.
        train, validation: of the two sides, before the rebalancing.
        not_looked_at: how many frames nobody has looked at.
    """

    split: SplitVod
    natural: tuple[int, int]
    train: tuple[int, int]
    validation: tuple[int, int]
    guard: tuple[int, int]
    events: EventCount
    not_looked_at: int = 0


def assign(
    sources: Sequence[Source], fps: Fraction, held: Sequence[str] | None, config: DatasetConfig
) -> Iterator[Assigned]:
    """Assigns the frames of each VOD to a side, or drops them. It never holds the frames of more than one VOD.

    Args:
        sources: the VODs, in order of names.
        fps: of the grid.
        held: the VODs to hold out. If the list is empty, they are chosen. None where chunks or games are held out.
        config: see `DatasetConfig`.

    Raises:
        DatasetError: games are to be held out, and there are fewer than two.
    """
    if config.holdout == GAMES:
        yield from _assign_games(sources, fps, config)
        return
    if held == []:
        counts = {source.vod: _natural(source, fps) for source in sources}
        held = list(split.choose_vods(counts, validation=config.validation, seed=config.seed))
    for source in sources:
        known = source.known(fps)
        if held is None:
            side = split.by_chunks_of(
                split.stretch(source.vod, source.spans, source.frames, fps, config.chunk_seconds),
                fps,
                validation=config.validation,
                guard_seconds=config.guard_seconds,
                seed=config.seed,
                known=known,
            )
        else:
            side = np.full(source.frames, split.VALIDATION if source.vod in held else split.TRAIN)
            side[~_all(source, known)] = split.DROPPED
        yield _assigned(source, side, fps, known)


def _assign_games(sources: Sequence[Source], fps: Fraction, config: DatasetConfig) -> Iterator[Assigned]:
    """Holds out whole games, of all VODs together."""
    parts = {
        source.vod: split_games.game_parts(source.spans, source.games, source.frames, fps, source.known(fps))
        for source in sources
    }
    seen = sum(seen > 0 for cut in parts.values() for seen, _ in cut.counts)
    if seen < 2:
        raise DatasetError(
            f"--holdout games: the labelled part of these VODs shows {seen} game: name more VODs, or hold out chunks"
        )
    held = split_games.choose_games(parts, validation=config.validation, seed=config.seed)
    for source in sources:
        known = source.known(fps)
        side = split_games.by_games(parts[source.vod], held[source.vod], fps, config.guard_seconds, known)
        yield _assigned(source, side, fps, known)


def _assigned(
    source: Source, side: npt.NDArray[np.int8], fps: Fraction, known: npt.NDArray[np.bool_] | None
) -> Assigned:
    """
    Args:
        side: int8 [frames], as `lolhl.data.split` gives it.
        known: bool [frames], which of them were looked at; None for all.
    """
    labels, seen = _labels(source, fps), _all(source, known)

    def count(chosen: npt.NDArray[np.bool_]) -> tuple[int, int]:
        return int(chosen.sum()), int(labels[chosen].sum())

    firsts = [grid.first_frame_at(span.start, fps) for span in source.spans]
    shown = [
        first
        for first, span in zip(firsts, source.spans, strict=True)
        if first < min(source.frames, grid.first_frame_at(span.stop, fps))
    ]
    if len(shown) < len(firsts):
        log.warning("VOD %s: %d of %d labelled events have no frame", source.vod, len(firsts) - len(shown), len(firsts))
    validation = int((side[shown] == split.VALIDATION).sum())
    return Assigned(
        split=SplitVod.from_sides(source.vod, fps, source.spans, side, known),
        natural=count(seen),
        train=count(side == split.TRAIN),
        validation=count(side == split.VALIDATION),
        guard=count((side == split.DROPPED) & seen),
        not_looked_at=int((~seen).sum()),
        events=EventCount(train=len(shown) - validation, validation=validation, without_frame=len(firsts) - len(shown)),
    )


def _natural(source: Source, fps: Fraction) -> tuple[int, int]:
    """How many frames were looked at, and how many of these lie in highlights."""
    known = _all(source, source.known(fps))
    return int(known.sum()), int(_labels(source, fps)[known].sum())


def _labels(source: Source, fps: Fraction) -> npt.NDArray[np.bool_]:
    return on_grid(source.spans, source.frames, fps)


def _all(source: Source, known: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_]:
    """Which instants were looked at, spelt out: bool [frames]."""
    return np.ones(source.frames, dtype=bool) if known is None else known
