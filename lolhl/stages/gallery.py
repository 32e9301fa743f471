"""The mistakes of a model, with pictures and with what each signal said: what `analyse` shows of them."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from lolhl import grid, layout, manifest
from lolhl.errors import StorageError
from lolhl.evaluate.figures import Mistake
from lolhl.evaluate.judge import Predictions
from lolhl.evaluate.mistakes import false_alarms, misses
from lolhl.explain.moments import Moment
from lolhl.highlights.drivers import Parts
from lolhl.manifest import Manifest
from lolhl.report.analysis import Shown
from lolhl.report.picture_parts import ExplainedPicture
from lolhl.report.pictures import thumbnails
from lolhl.results import Scoring, Vod
from lolhl.stages.scores import load_scored
from lolhl.storage import MANY, Root, each

log = logging.getLogger(__name__)


class ShownMistakes(NamedTuple):
    """The worst mistakes of both kinds, as the page shows them."""

    misses: list[Shown]
    false_alarms: list[Shown]


@dataclass(frozen=True)
class Gallery:
    """The mistakes of a model, worst first.

    Attributes:
        misses, false_alarms: all of them. The worst ones say what each signal adds to the log-odds within, on average.
        worst: how many of each are shown.
        around: seconds before and after a mistake in which what each signal said is shown.
        fps: of the grid.
        parts: VOD → signal → what it adds to the log-odds, float [T], NaN where it is not known.
        videos: those of the VODs that have one.
    """

    root: Root
    misses: list[Mistake]
    false_alarms: list[Mistake]
    worst: int
    around: float
    fps: Fraction
    parts: Mapping[str, Parts]
    videos: Mapping[str, Manifest[Vod]]

    @classmethod
    def open(cls, root: Root, model: str, predictions: Predictions, worst: int, around: float) -> "Gallery":
        """The mistakes of a model whose VODs were scored to be judged.

        Raises:
            StorageError: scores are gone or damaged.
        """
        vods, fps = predictions.vods, predictions.vods[0].fps
        both = misses(vods), false_alarms(vods)
        parts = _parts(root, model, sorted({mistake.vod for mistakes in both for mistake in mistakes[:worst]}))
        missed, alarms = (_with_signals(mistakes, worst, fps, parts) for mistakes in both)
        return cls(root, missed, alarms, worst, around, fps, parts, _videos(root, [vod.vod for vod in vods]))

    def titles(self, vods: Iterable[str]) -> dict[str, str]:
        """VOD → the title of its stream, else its name."""
        return {vod: (self.videos[vod].result.title if vod in self.videos else None) or vod for vod in vods}

    def moments(self, count: int) -> list[Moment]:
        """Those that are shown of so many of the worst mistakes of each kind."""
        count = min(count, self.worst)
        return [
            *(_pictured(mistake, at_peak=False) for mistake in self.misses[:count]),
            *(_pictured(mistake, at_peak=True) for mistake in self.false_alarms[:count]),
        ]

    def shown(self, pages: Sequence[str], explained: Mapping[Moment, ExplainedPicture]) -> ShownMistakes:
        """The worst mistakes with a picture each.

        Args:
            pages: the VODs that have a page of their own.
            explained: what drove the scores of some moments.
        """
        worst = [*self.misses[: self.worst], *self.false_alarms[: self.worst]]
        moments = self.moments(self.worst)
        pictures = self._pictures([(moment.vod, round(moment.seconds * self.fps)) for moment in moments])
        shown = [
            self._shown(mistake, picture, moment, explained.get(moment), has_page=mistake.vod in pages)
            for mistake, picture, moment in zip(worst, pictures, moments, strict=True)
        ]
        split = len(self.misses[: self.worst])
        return ShownMistakes(shown[:split], shown[split:])

    def _shown(
        self,
        mistake: Mistake,
        picture: bytes | None,
        moment: Moment,
        explained: ExplainedPicture | None,
        *,
        has_page: bool,
    ) -> Shown:
        parts, fps = self.parts.get(mistake.vod, {}), self.fps
        count = max((len(values) for values in parts.values()), default=0)
        first = max(0, grid.first_frame_at(mistake.start - self.around, fps))
        end = min(count, grid.first_frame_at(mistake.stop + self.around, fps))
        around = slice(first, end)
        return Shown(
            mistake=mistake,
            picture=picture,
            pictured=moment.seconds,
            page=f"../../{quote(layout.page(mistake.vod))}" if has_page else None,
            times=grid.times(count, fps)[around],
            parts={name: values[around] for name, values in parts.items()} if first < end else {},
            explained=explained,
        )

    def _pictures(self, wanted: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """The pictures of VODs at instants of the grid. None where a video is gone."""
        pictures: dict[tuple[str, int], bytes | None] = {}
        for vod in dict.fromkeys(vod for vod, _ in wanted):
            numbers = [number for other, number in wanted if other == vod]
            stored = self.videos.get(vod)
            if stored is None:
                continue
            try:
                video = stored.local(self.root, stored.result.video, layout.remake(layout.vod(vod)))
            except StorageError as error:
                log.warning("analyse: there are no pictures of %s: %s", vod, error)
                continue
            images = thumbnails(video, self.fps, numbers)
            pictures |= {(vod, number): image for number, image in zip(numbers, images, strict=True)}
        return [pictures.get(place) for place in wanted]


def _parts(root: Root, model: str, vods: Sequence[str]) -> dict[str, Parts]:
    """VOD → what each signal adds to the log-odds, NaN where it is not known.

    Nothing of a model that does not tell its signals apart.
    """
    place = layout.judged(model)
    parts: dict[str, Parts] = {}
    for vod in vods:
        scoring = manifest.load(root, layout.scoring(vod, place), Scoring)
        if scoring.result.explained_by:
            stored = load_scored(root, vod, scoring, place).parts  # a signal that is known adds something
            parts[vod] = {name: np.where(values == 0, np.nan, values) for name, values in stored.items()}
    return parts


def _with_signals(mistakes: Sequence[Mistake], worst: int, fps: Fraction, parts: Mapping[str, Parts]) -> list[Mistake]:
    """The same mistakes; the worst ones with what each signal adds to the log-odds within, on average."""
    explained = [
        replace(mistake, signals={name: _mean(values, mistake, fps) for name, values in parts[mistake.vod].items()})
        if mistake.vod in parts
        else mistake
        for mistake in mistakes[:worst]
    ]
    return [*explained, *mistakes[worst:]]


def _mean(part: npt.NDArray[np.floating], mistake: Mistake, fps: Fraction) -> float | None:
    first, end = (grid.first_frame_at(time, fps) for time in (mistake.start, mistake.stop))
    known = part[first : max(end, first + 1)]
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None


def _pictured(mistake: Mistake, *, at_peak: bool) -> Moment:
    """The moment that is shown of a mistake: the second of the highest score, or the middle."""
    return Moment(mistake.vod, mistake.peak if at_peak else (mistake.start + mistake.stop) / 2)


def _videos(root: Root, vods: Iterable[str]) -> dict[str, Manifest[Vod]]:
    """The VODs that have a video."""
    names = list(vods)
    manifests = each(lambda vod: manifest.find(root, layout.vod(vod), Vod), names, ahead=MANY)
    return {vod: stored for vod, stored in zip(names, manifests, strict=True) if stored}
