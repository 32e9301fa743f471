"""What the parts of a picture add to the score of its instant: LIME on moments of VODs, for `analyse`."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from lolhl import grid, layout, manifest, progress
from lolhl.errors import StorageError, VideoError
from lolhl.evaluate.figures import PictureParts
from lolhl.explain import lime
from lolhl.explain.moments import Moment
from lolhl.explain.regions import Region, cut
from lolhl.explain.segments import superpixels
from lolhl.explain.words import coloured, summed
from lolhl.frames.shards import encode
from lolhl.models.bundle import Bundle, load_bundle
from lolhl.models.network import PICTURES
from lolhl.models.vod_scorer import Numbers, VodScorer
from lolhl.progress import Advance
from lolhl.report.picture_parts import ExplainedPicture
from lolhl.results import Vod
from lolhl.signals import make_track, stored_track
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import FrameSource, Pictures, Source, choose_source, source_beside
from lolhl.stages.infer import InferConfig, infer, track_from
from lolhl.storage import Root
from lolhl.tracks.rows import Values
from lolhl.tracks.track import Track
from lolhl.vod import decode
from lolhl.vod.view import Picture

log = logging.getLogger(__name__)

_USUAL = 15  # pictures whose median is what a stream usually shows
_SHAPE = 16 / 9  # of pictures whose video is gone
_QUALITY = 85


def explain_moments(
    root: Root, model: str, moments: Sequence[Moment], regions: Sequence[Region], tries: int
) -> dict[Moment, ExplainedPicture]:
    """What the parts of the pictures of these moments add to their scores. Nothing of a model that sees no pictures.

    Args:
        root: where the data lies.
        model: the name of a model.
        moments: of VODs, which are scored where they are not yet. One after a VOD's end means its last instant.
        regions: those that have names.
        tries: see `explain`.

    Raises:
        LolhlError: as `infer` does. Where pictures are gone that were scored once, a warning says so instead.
    """
    explained: dict[Moment, ExplainedPicture] = {}
    if not moments:
        return explained
    used = load_bundle(root, model)
    with progress.bar("explain pictures", 2 * tries * len(moments), "pictures") as advance:
        for name in dict.fromkeys(moment.vod for moment in moments):
            scoring = infer(root, model, name, InferConfig(mode="grid"), place=layout.judged(model)).result
            try:
                vod = VodPictures.open(root, used, name, scoring.frames)
                if vod is None:
                    return {}
                usual = vod.usual()
                for moment in moments:
                    if moment.vod == name:
                        number = min(scoring.frames - 1, round(moment.seconds * scoring.fps))
                        explained[moment] = explain(vod, usual, number, regions, tries, advance)
            except StorageError as error:
                log.warning("analyse %s: the pictures of %s are not explained: %s", model, name, error)
    return {moment: explained[moment] for moment in moments if moment in explained}


@dataclass(frozen=True)
class VodPictures:
    """The pictures of one VOD, as a model sees them, and what it makes of others in their place.

    Attributes:
        track: the features of its pictures. None where the model's backbone learnt too, so that they are not stored.
        count: instants of its grid.
        shape: width / height of the whole picture.
    """

    source: Source
    signal: PictureSignal
    scorer: VodScorer
    track: Track | None
    count: int
    shape: float

    @classmethod
    def open(cls, root: Root, used: Bundle, vod: str, count: int) -> "VodPictures | None":
        """Opens a VOD of so many instants that the model has scored. None where the model sees no pictures.

        Raises:
            LolhlError: as `infer` does.
        """
        signals = {name: used.open(name) for name in used.signals}
        signal = signals.pop(PICTURES, None)
        if not isinstance(signal, PictureSignal):
            return None
        source = choose_source(
            root, vod, used.view, "auto", mode="grid", decoder="auto", needed_by=f"model {used.name}"
        )
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        used.model.to(device)
        tracks = {name: track_from(source_beside(source, other.view), other) for name, other in signals.items()}
        scorer = VodScorer.open(used, tracks, device)
        track = make_track(signal, source, "grid") if scorer.asks_first else stored_track(signal, source, "grid")
        if track:
            scorer = scorer.with_baseline(PICTURES, track.at, len(track))
        stored = manifest.find(root, layout.vod(vod), Vod)
        shape = stored.result.width / stored.result.height if stored else _SHAPE
        return cls(source, signal, scorer, track, count, shape)

    def pictures(self, numbers: Numbers) -> Pictures:
        """The pictures at these instants, in ascending order: uint8 [n, S, S, 3].

        Raises:
            LolhlError: they cannot be read or decoded.
        """
        if isinstance(self.source, FrameSource):
            return self.source.frames.read(numbers)
        runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
        stretches = [range(int(run[0]), int(run[-1]) + 1) for run in runs]
        pictures = list(decode.decode_stretches(self.source.path, self.signal.view, stretches))
        if len(pictures) < len(numbers):
            raise VideoError(f"{self.source.path} breaks off earlier than it did: download it again")
        return np.stack(pictures)

    def usual(self) -> Picture:
        """What the VOD usually shows: the median of pictures from all of it, pixel by pixel."""
        numbers = np.unique(np.linspace(0, self.count - 1, _USUAL + 2).astype(np.int64)[1:-1])
        return np.asarray(np.median(self.pictures(numbers), axis=0).astype(np.uint8))

    def features(self, pictures: Pictures) -> Values:
        """The features of pictures: float16 [n, D]."""
        batch = self.signal.runtime.batch
        batches = (pictures[first : first + batch] for first in range(0, len(pictures), batch))
        return np.concatenate(list(self.signal.runtime.run(batches)))

    def score(self, number: int) -> lime.Score:
        """What gives the log-odds of an instant with other pictures in place of its own. All else stays."""
        around = self.scorer.around(number, self.count)
        numbers = np.arange(around.start, around.stop)
        stretch = self.track.at(numbers) if self.track else self.features(self.pictures(numbers))

        def log_odds(pictures: Pictures) -> npt.NDArray[np.float64]:
            return self.scorer.log_odds(stretch, around.start, number, self.features(pictures))

        return log_odds


def explain(
    vod: VodPictures,
    usual: Picture,
    number: int,
    regions: Sequence[Region],
    tries: int,
    advance: Advance = lambda _: None,
) -> ExplainedPicture:
    """What the parts of a picture add to its score, with the picture in colours.

    Args:
        usual: what stands in place of parts that are covered, see `VodPictures.usual`.
        number: of the instant.
        regions: those that have names.
        tries: pictures that are tried, of named regions and as many of superpixels.
        advance: is told how many were tried.
    """
    fps, view = vod.scorer.used.view.fps, vod.signal.view
    (picture,) = vod.pictures(np.array([number]))
    score = vod.score(number)

    def shown(pictures: Pictures) -> npt.NDArray[np.floating]:
        scores = score(pictures)
        advance(len(pictures))
        return scores

    log_odds, covered = map(float, score(np.stack([picture, usual])))
    weigh = partial(lime.weigh_parts, shown, picture, usual, tries=tries)
    named, small = cut(regions, view.size, view.fit, vod.shape), superpixels(picture)
    by_name, by_place = weigh(named), weigh(small)
    figures = PictureParts(
        vod=vod.source.vod,
        seconds=grid.time_of(number, fps),
        log_odds=log_odds,
        covered=covered,
        regions=summed(named, by_name.parts),
        superpixels=summed(small, by_place.parts),
        regions_fit=by_name.fit,
        superpixels_fit=by_place.fit,
        tries=by_name.tries + by_place.tries,
    )
    shape = vod.shape if view.fit == "squeeze" else 1.0
    return ExplainedPicture(
        figures=figures,
        regions=encode(coloured(picture, named, by_name.parts, shape), _QUALITY),
        superpixels=encode(coloured(picture, small, by_place.parts, shape), _QUALITY),
    )
