"""infer: a model and a VOD → scores, one probability per instant of the grid.

From the frame set if there is one that fits the model, else straight from the video, with no JPEG
in between. A scan looks at key frames only; features between them are interpolated. Refining then
decodes all that lies between two key frames where the scan's scores are highest. It does not make up for
all that a scan misses: see tests/benchmarks/infer.py.
"""

import io
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from lolhl import grid, manifest, progress
from lolhl.config import Config, option
from lolhl.errors import MissingInput, ModelError, UsageError
from lolhl.frames.frameset import FrameSet
from lolhl.frames.spec import stored, view_name, view_options
from lolhl.manifest import Manifest, Output
from lolhl.models import features, scoring
from lolhl.models.bundle import Bundle, load_bundle
from lolhl.models.engine import Engine, open_engine
from lolhl.results import Scoring, Vod
from lolhl.storage import Root, check_name
from lolhl.vod import decode
from lolhl.vod.decode import Ending, View

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class InferConfig(Config):
    """Where the pictures come from."""

    source: str = option(
        "auto",
        "frames: the frame set; video: decode it; auto: frames where there are any",
        choices=("auto", "frames", "video"),
    )
    mode: Literal["auto", "scan", "refine", "grid"] = option(
        "auto",
        "grid: every frame; scan: key frames only; refine: a scan, then every frame where its scores are highest; "
        "auto: refine on a CPU, where key frames come often",
        choices=("auto", "scan", "refine", "grid"),
    )
    closer: float = option(0.4, "share of the instants that --mode refine takes a closer look at, above 0 and up to 1")
    decoder: str = option("auto", "where to decode video; auto probes for a GPU", choices=("auto", "cpu", "cuda"))

    def __post_init__(self) -> None:
        if not 0 < self.closer <= 1:
            raise UsageError(f"--closer {self.closer:g}: give a share above 0, and 1 at most")


Scores = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]  # in seconds


def scores_key(vod: str, place: str = "highlights") -> str:
    return f"{place}/{vod}/scores.parquet"


def manifest_key(vod: str, place: str = "highlights") -> str:
    return f"{place}/{vod}/scores.json"


@dataclass(frozen=True)
class KeyFrames:
    """What a scan sees: times in seconds, float64 [m], and features, float16 [m, D]; and how the video ends."""

    times: Times
    features: features.Features
    ending: Ending


def infer(
    root: Root,
    model: str,
    vod: str,
    config: InferConfig = InferConfig(),
    *,
    force: bool = False,
    seen: KeyFrames | None = None,
    place: str = "highlights",
) -> Manifest[Scoring]:
    """Makes <place>/<vod>/scores.parquet (frame, time in seconds, score as probability).

    Args:
        root: where the data lies.
        model: name of a trained model, or `champion`.
        vod: name of a VOD that was downloaded.
        config: see `InferConfig`.
        force: redo what is done.
        seen: the video's key frames, where they were looked at already, as `look` does.
        place: where the scores go. Reports are made of those in highlights/.

    Returns:
        The scores' manifest. Its result names the model and the threshold that goes with it.

    Raises:
        MissingInput: the model, or the VOD's video or frames, do not exist.
        ModelError: the frames are not those that the model was made for.
    """
    check_name(vod, "VOD")
    used = load_bundle(root, model)
    model = used.name
    frames = _frames(root, vod, config, used)
    if frames:
        inputs = {frames.spec.manifest_key(vod): frames.digest}
    else:
        downloaded = manifest.load(root, f"vods/{vod}/vod.json", Vod, f"lolhl download … --name {vod}")
        inputs = {f"vods/{vod}/vod.json": downloaded.content_digest()}
    inputs[f"models/{model}"] = used.digest
    todo, earlier = manifest.plan(root, manifest_key(vod, place), Scoring, config, inputs, force=force)
    if earlier:
        return earlier

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    used.head.to(device)
    engine = open_engine(used.encoder, device)
    if frames:
        mode: decode.Mode = "grid" if frames.is_whole else "scan"
        found = features.stored(engine, frames).batches() if used.frozen else features.of_frames(engine, frames)
        scores = _scores(used, found, device)
    else:
        video = downloaded.local(root, downloaded.result.video, f"lolhl download … --name {vod} --force")
        decoder = decode.choose_decoder(video, config.decoder, used.view)
        mode = decode.choose_mode(video, config.mode, decoder)
        film = _Video(vod, video, downloaded.result.duration, decoder)
        if mode == "grid":
            ending = Ending()
            scores = _scores(used, _of_grid(engine, used.view, film, ending), device)
        else:
            seen = look(engine, lambda ending: _keys(used.view, film, ending)) if seen is None else seen
            scores, ending = (
                _scan(engine, used, film, seen, device, config.closer if mode == "refine" else 0.0),
                seen.ending,
            )
        if ending.problem:
            log.warning("infer %s: what follows cannot be read, and has no scores: %s", vod, ending.problem)

    data = _parquet(scores, used)
    result = Scoring(
        vod=vod,
        fps=used.view.fps,
        frames=len(scores),
        source="frames" if frames else "video",
        frame_set=frames.spec.name if frames else None,
        mode=mode,
        model=model,
        model_digest=used.digest,
        threshold=used.threshold,
        smooth_seconds=used.smooth_seconds,
        model_metrics=used.metrics,
    )
    with todo.begin() as begun:
        root.write(scores_key(vod, place), data)
        return begun.finish(result, [Output.of(scores_key(vod, place), data)])


def _frames(root: Root, vod: str, config: InferConfig, used: Bundle) -> FrameSet | None:
    """The best of the VOD's frame sets that fit the model, if one is to be used.

    Raises:
        MissingInput: frames were asked for, or are the only source, and there are none, or none newer than the video.
        ModelError: there are some, and none is what the model needs.
    """
    if config.source == "video":
        return None
    specs = stored(root, vod)
    may_decode = config.source == "auto" and (not specs or root.stat(f"vods/{vod}/vod.json") is not None)
    needed = f"lolhl extract {vod} {view_options(used.view)}"
    if not specs and not may_decode:
        raise MissingInput(f"VOD {vod} has no frames: run `{needed}` first, or use --source video")
    fitting = [spec for spec in specs if spec.view == used.view]
    usable = [spec for spec in fitting if spec.mode == "grid" or config.mode in ("auto", "scan")]
    for spec in usable:
        try:
            return FrameSet.load(root, vod, spec)
        except MissingInput:  # they are older than the video
            if not may_decode and spec is usable[-1]:
                raise
    if may_decode:
        return None
    if fitting:
        raise ModelError(
            f"{vod} has the key frames only, which do not do for --mode {config.mode}: run `{needed}`, or use "
            "--source video"
        )
    has = " and ".join(sorted({view_name(spec.view) for spec in specs}))
    raise ModelError(
        f"model {used.name} needs frames at {used.view.fps} fps, {used.view.size} px, {used.view.fit}, but {vod} has "
        f"{has}: run `{needed}`, or use --source video"
    )


@dataclass(frozen=True)
class _Video:
    """What is decoded: file, duration in seconds, and where."""

    vod: str
    path: Path
    duration: float
    decoder: decode.Decoder


def _scores(used: Bundle, found: Iterable[features.Features], device: torch.device) -> Scores:
    return np.concatenate(list(scoring.probabilities(used.head, found, device)))


def _of_grid(engine: Engine, view: View, video: _Video, ending: Ending) -> Iterator[features.Features]:
    with progress.bar(f"infer {video.vod}", video.duration, "s") as advance:
        pictures = decode.decode(video.path, view, decoder=video.decoder, ending=ending)
        for batch in features.of_pictures(engine, pictures):
            yield batch
            advance(float(len(batch) / view.fps))


def _scan(engine: Engine, used: Bundle, video: _Video, seen: KeyFrames, device: torch.device, closer: float) -> Scores:
    """Scores from key frames.

    With a closer look, also from every picture between those where one of these scores is highest, and
    wherever key frames come too seldom to show what happens.
    """
    fps = used.view.fps
    instants = grid.times(seen.ending.count(fps), fps)
    scores = _scores(used, features.spread_batches(seen.times, seen.features, instants), device)
    unseen = _unseen(seen.times, float(seen.ending.end or 0), instants)
    if not closer:
        if unseen.any():
            log.warning(
                "infer %s: %.0f %% of it have no key frame within %g s, and so no scores of their own: use --mode grid",
                video.vod,
                100 * unseen.mean(),
                decode.AS_ON_TWITCH,
            )
        return scores
    wanted = _between(seen.times, instants, np.where(unseen, -np.inf, scores), closer) | unseen
    return _scores(used, _of_both(engine, used.view, video, seen, instants, wanted), device)


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


def _of_both(
    engine: Engine, view: View, video: _Video, seen: KeyFrames, instants: Times, wanted: npt.NDArray[np.bool_]
) -> Iterator[features.Features]:
    """Features of all instants, in order: of pictures that are decoded where wanted, else spread from key frames."""
    edges = np.flatnonzero(np.diff(np.pad(wanted.astype(np.int8), 1))).reshape(-1, 2)
    stretches = [range(*ends) for ends in edges.tolist()]
    pictures = decode.decode_stretches(video.path, view, stretches, decoder=video.decoder)
    decoded = itertools.chain.from_iterable(features.of_pictures(engine, pictures))
    first = 0
    with progress.bar(f"refine {video.vod}", int(wanted.sum()), "frames") as advance:
        for batch in features.spread_batches(seen.times, seen.features, instants):
            places = np.flatnonzero(wanted[first : first + len(batch)])
            for place in places:
                batch[place] = next(decoded, batch[place])  # the video may end before
            yield batch
            first += len(batch)
            advance(len(places))


def look(engine: Engine, keys: Callable[[Ending], Iterable[tuple[float, decode.Picture]]]) -> KeyFrames:
    """Times and features of key frames, as `decode.scan` yields them.

    Args:
        keys: yields them, and fills the ending as `decode.scan` does.
    """
    times: list[float] = []
    ending = Ending()

    def pictures() -> Iterator[decode.Picture]:
        for time, picture in keys(ending):
            times.append(time)
            yield picture

    found = np.concatenate(list(features.of_pictures(engine, pictures())))
    return KeyFrames(np.array(times), found, ending)


def _keys(view: View, video: _Video, ending: Ending) -> Iterator[tuple[float, decode.Picture]]:
    last = 0.0
    with progress.bar(f"scan {video.vod}", video.duration, "s") as advance:
        for time, picture in decode.scan(video.path, view, ending=ending):
            advance(time - last)
            last = time
            yield time, picture


def _parquet(scores: Scores, used: Bundle) -> bytes:
    count = len(scores)
    table = pl.DataFrame({"frame": np.arange(count), "time": grid.times(count, used.view.fps), "score": scores})
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()
