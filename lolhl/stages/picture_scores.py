"""Scores of a model that sees pictures: from frames, from every picture of a video, or from some of them.

A scan looks at key frames only; features between them are interpolated. Refining then decodes all that lies between
two key frames where the scan's scores are highest. It does not make up for all that a scan misses: see
tests/benchmarks/infer.py. Where the VOD's games are known, it passes over what lies outside of them.

Features of a frozen backbone are stored as tracks while they are scored. What is stored already, by whichever stage,
is not looked at again.
"""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lolhl import grid, progress
from lolhl.models.bundle import Bundle
from lolhl.models.network import PICTURES
from lolhl.models.vod_scorer import Numbers, Scores, VodScorer
from lolhl.signals import fill_track, make_track, measured, stored_track
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import FrameSource, TimedPictures, VideoSource, stacked, stacked_keys
from lolhl.stages.between_games import LookedAt
from lolhl.tables import Scored
from lolhl.tracks.filling import End, Gap, Measured, Taken
from lolhl.tracks.rows import BATCH, Rows, Values, spread, spread_batches
from lolhl.tracks.scattered import Scattered
from lolhl.tracks.track import Track
from lolhl.vod import decode
from lolhl.vod.decode import Ending, Picture

log = logging.getLogger(__name__)

Times = npt.NDArray[np.float64]  # in seconds
WantedMode = Literal["auto", "scan", "refine", "grid"]


@dataclass(frozen=True)
class KeyFrames:
    """The result of a scan: times and features of key frames, and how the video ends."""

    rows: Rows
    end: End

    def within(self, gap: Gap) -> Measured:
        """The rows of a gap."""
        yield self.rows[gap.first : gap.stop]
        return self.end


def look(signal: PictureSignal, vod: str, keys: Callable[[Ending], Iterable[tuple[float, Picture]]]) -> KeyFrames:
    """Times and features of key frames, as `decode.scan` yields them.

    Args:
        vod: what they are of, for errors.
        keys: yields them, and fills the ending as `decode.scan` does.
    """

    def pictures() -> TimedPictures:
        ending = Ending()
        yield from stacked_keys(keys(ending), signal.runtime.batch)
        return End(ending.count(signal.fps), float(ending.end or 0), ending.problem)

    taken = Taken(signal.look(pictures(), vod))
    rows = Rows.join(taken)
    return KeyFrames(rows, taken.end)


def from_frames(scorer: VodScorer, signal: PictureSignal, source: FrameSource) -> tuple[decode.Mode, Scored]:
    """The mode that the frames allow, and the scores."""
    if scorer.asks_first:
        track: Track | None = make_track(signal, source, source.layout)
    else:
        track = stored_track(signal, source, source.layout)
    taken = Taken(measured(signal, source, source.layout, track, store=scorer.used.frozen))
    if source.layout == "grid":
        scorer = scorer.with_baseline(PICTURES, track.at, len(track)) if track else scorer
        return "grid", scorer.scores(rows.values for rows in taken)
    keys = Rows.join(taken)
    scorer = scorer.with_baseline(PICTURES, keys.values.__getitem__, len(keys))
    instants = grid.times(len(source.frames), scorer.used.view.fps)
    return "scan", scorer.scores(spread_batches(keys.times, keys.values, instants))


def from_video(
    scorer: VodScorer,
    signal: PictureSignal,
    video: VideoSource,
    wanted: WantedMode,
    closer: float,
    games: LookedAt,
    key_frames: KeyFrames | None,
) -> tuple[decode.Mode, Scored, End]:
    """The mode that is chosen, the scores, and how the video ends. The video is fetched only where it is decoded.

    Args:
        scorer: the model.
        signal: what it sees.
        video: where it sees it.
        wanted: the mode that is asked for.
        closer: share of the instants that refining takes a closer look at.
        games: what refining passes over.
        key_frames: those of the video, where they were looked at already.
    """
    used = scorer.used
    whole = None if wanted == "scan" else stored_track(signal, video, "grid")
    if wanted == "grid" or (wanted == "auto" and whole):
        if scorer.asks_first and not whole:
            whole = make_track(signal, video, "grid")
        taken = Taken(measured(signal, video, "grid", whole, store=used.frozen))
        scorer = scorer.with_baseline(PICTURES, whole.at, len(whole)) if whole else scorer
        scored = scorer.scores(rows.values for rows in taken)
        return "grid", scored, taken.end
    scanned = stored_track(signal, video, "scan")
    mode: decode.Mode
    if scanned and wanted != "auto":  # it was looked at when the scan was made
        mode = wanted
    else:
        mode = decode.choose_mode(video.path, wanted, video.decoder("grid", used.view))
    closer = closer if mode == "refine" else 0.0
    if mode == "grid" and games.games and video.decoder("grid", used.view) == "cpu":
        mode, closer = "refine", 1.0  # every frame of the games
    if mode == "grid":
        return from_video(scorer, signal, video, "grid", closer, games, key_frames)
    key_frames = _key_frames(used, signal, video, scanned, key_frames)
    scored = _scan(scorer, signal, video, key_frames, whole, closer, games)
    return mode, scored, key_frames.end


def _key_frames(
    used: Bundle, signal: PictureSignal, video: VideoSource, scanned: Track | None, key_frames: KeyFrames | None
) -> KeyFrames:
    """All key frames of the video: the stored ones, else those that were encoded ahead, else those decoded now.

    Key frames that were encoded ahead are stored.
    """
    if scanned is None and key_frames is not None:
        if used.frozen:
            fill_track(signal, video, "scan", key_frames.within).track()
        return key_frames
    taken = Taken(measured(signal, video, "scan", scanned, store=used.frozen))
    rows = Rows.join(taken)
    return KeyFrames(rows, taken.end)


def _scan(
    scorer: VodScorer,
    signal: PictureSignal,
    video: VideoSource,
    keys: KeyFrames,
    whole: Track | None,
    closer: float,
    games: LookedAt,
) -> Scored:
    """Scores from key frames.

    With a closer look, also from every picture between those where one of these scores is highest, and
    wherever key frames come too seldom to show what happens. That is in games alone, where these are known.
    """
    used = scorer.used
    instants = grid.times(keys.end.frames, used.view.fps)
    times = keys.rows.times
    scorer = scorer.with_baseline(PICTURES, keys.rows.values.__getitem__, len(keys.rows))
    scored = scorer.scores(spread_batches(times, keys.rows.values, instants))
    unseen = _unseen(times, keys.end.seconds, instants)
    if not closer:
        if unseen.any():
            log.warning(
                "infer %s: %.0f %% of it have no key frame within %g s, and so no scores of their own: use --mode grid",
                video.vod,
                100 * unseen.mean(),
                decode.AS_ON_TWITCH,
            )
        return scored
    near = games.masks(video.vod, times, instants, used.view.fps)
    candidates = np.where(near.groups & ~unseen, scored.probabilities, -np.inf)
    wanted = _between(times, instants, candidates, closer * float(near.groups.mean())) & near.groups
    wanted |= unseen & near.played
    if whole:
        looked = _spread_with(keys.rows, instants, wanted, lambda numbers: (numbers, whole[numbers]))
    else:
        looked = _looked_at(signal, video, keys.rows, instants, wanted, store=used.frozen)
    return scorer.scores(looked)


def _unseen(times: Times, end: float, instants: Times) -> npt.NDArray[np.bool_]:
    """The instants that no key frame shows, in stretches without one that are longer than is usual: bool [n].

    Args:
        times: of the key frames.
        end: of the video.
        instants: of the grid: [n].
    """
    edges = np.concatenate([[0.0], times, [max(end, times[-1])]])
    is_long = np.diff(edges) > decode.AS_ON_TWITCH
    return np.asarray(is_long[np.searchsorted(times, instants, side="right")] & ~np.isin(instants, times))


def _between(times: Times, instants: Times, scores: Scores, share: float) -> npt.NDArray[np.bool_]:
    """The instants to look closer at: those that no key frame shows, where the scan's scores are highest.

    All that lie between two key frames go together: to decode one takes most of what all of them take,
    and so what the closer look gives is nowhere mixed with what is interpolated.

    Args:
        times: of the key frames.
        instants: of the grid: [n].
        scores: of the scan, at the instants: [n].
        share: of the instants, with those that key frames show.

    Returns:
        bool [n].
    """
    group = np.searchsorted(times, instants, side="right")
    highest = np.full(len(times) + 1, -np.inf)
    np.maximum.at(highest, group, scores)
    order = np.argsort(-highest, kind="stable")
    sizes = np.bincount(group, minlength=len(order))[order]
    taken = order[np.cumsum(sizes) - sizes < share * len(instants)]
    return np.isin(group, taken) & ~np.isin(instants, times)


def _spread_with(
    keys: Rows,
    instants: Times,
    wanted: npt.NDArray[np.bool_],
    look: Callable[[Numbers], tuple[Numbers, Values]],
) -> Iterator[Values]:
    """Yields features of all instants, in order. They are spread from key frames, except at wanted instants.

    Args:
        keys: the key frames.
        instants: of the grid, in seconds: [n].
        wanted: bool [n].
        look: numbers of wanted instants, ascending → those of them that the video has, and their features.
    """
    for first in range(0, len(instants), BATCH):
        batch = spread(keys.times, keys.values, instants[first : first + BATCH])
        numbers = first + np.flatnonzero(wanted[first : first + BATCH])
        if len(numbers):
            measured_numbers, values = look(numbers)
            batch[measured_numbers - first] = values
        yield batch


def _looked_at(
    signal: PictureSignal,
    video: VideoSource,
    keys: Rows,
    instants: Times,
    wanted: npt.NDArray[np.bool_],
    *,
    store: bool,
) -> Iterator[Values]:
    """Yields features of all instants, in order: of their pictures where wanted, else spread from key frames.

    What is stored is not decoded again, and what is decoded is stored.
    """
    scattered = Scattered.open(video.root, fill_track(signal, video, "grid").recipe) if store else None
    stored = scattered.known(len(instants)) if scattered else np.zeros(len(instants), dtype=bool)
    missing = np.flatnonzero(wanted & ~stored)
    decoded = itertools.chain.from_iterable(
        rows.values for rows in signal.look(_decoded(signal, video, missing), video.vod)
    )

    with progress.bar(f"refine {video.vod}", int(wanted.sum()), "frames") as advance:

        def look(numbers: Numbers) -> tuple[Numbers, Values]:
            advance(len(numbers))
            known = numbers[stored[numbers]]
            values = scattered[known] if scattered and len(known) else keys.values[:0]
            new = numbers[~stored[numbers]]
            rows = list(itertools.islice(decoded, len(new)))
            if not rows:  # nothing is new, or the video ended before
                return known, values
            new = new[: len(rows)]
            if scattered:
                scattered.add(new, np.stack(rows))
            return np.concatenate([known, new]), np.concatenate([values, np.stack(rows)])

        yield from _spread_with(keys, instants, wanted, look)
    if scattered:
        scattered.flush()


def _decoded(signal: PictureSignal, video: VideoSource, numbers: Numbers) -> TimedPictures:
    """The pictures at these instants, ascending; fewer where the video ends before."""
    edges = np.flatnonzero(np.diff(numbers) != 1) + 1
    stretches = [range(int(run[0]), int(run[-1]) + 1) for run in np.split(numbers, edges) if len(run)]
    if stretches:
        decoder = video.decoder("grid", signal.view)
        pictures = decode.decode_stretches(video.path, signal.view, stretches, decoder=decoder)
        first = 0
        for batch in stacked(pictures, signal.runtime.batch):
            yield numbers[first : first + len(batch)] / float(signal.fps), batch
            first += len(batch)
    return End(0, 0.0)
