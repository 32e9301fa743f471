"""Fetches what clips are cut from in source quality, for a Twitch VOD that is stored in a smaller rendition.

vods/<vod>/source/ holds stretches of the stream as the streamer sent it. Each is whole segments of Twitch in
an .mp4, with its manifest beside it. A stretch that is stored is not fetched again.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from lolhl import layout, manifest, progress
from lolhl.config import Config
from lolhl.labels.spans import Span, merge
from lolhl.manifest import Manifest, Output
from lolhl.results import SourceStretch, Vod
from lolhl.stages.resumable_folder import ResumableFolder, open_resumable_folder
from lolhl.storage import Root, check_name, each
from lolhl.vod import trim, twitch
from lolhl.vod.probe import probe

log = logging.getLogger(__name__)

_HANDLE = 5  # seconds fetched before and after what is to be cut, so that cuts can be widened
_NEEDED = 2.0  # seconds of them that must be there: a copy begins at the key frame before
_NEAR = 10.0  # seconds; stretches nearer to each other become one: as much as a segment


@dataclass(frozen=True)
class Stretch:
    """A piece of a VOD in source quality.

    Attributes:
        key: the key of its video in the root.
        start: its time 0, in seconds of the stored video. It is negative where the stretch begins before that.
        fps: pictures per second.
    """

    key: str
    start: float
    fps: Fraction


def has_source(vod: Manifest[Vod]) -> bool:
    """Whether Twitch has, or had, the VOD in a better quality than the stored one."""
    stored, qualities = vod.result.rendition, vod.result.qualities  # none for what lolhl 0.1 downloaded
    if vod.result.twitch_id is None or stored is None or not qualities:
        return False
    return stored.group != twitch.best(qualities).group


def best_size(vod: Vod) -> tuple[int, int]:
    """Width and height of the best quality that there is of a VOD, in pixels."""
    best = twitch.best(vod.qualities) if vod.qualities else None
    return (best.width, best.height) if best and best.width and best.height else (vod.width, vod.height)


def stretches(root: Root, vod: Manifest[Vod], spans: Sequence[Span]) -> list[Stretch]:
    """Returns for each span the stretch that holds it. Stretches that are missing are fetched.

    A run that follows a killed one goes on with the segments that were fetched.

    Args:
        root: where the data lies.
        vod: the manifest of a VOD that `has_source`.
        spans: what is to be cut, in seconds of the stored video.

    Raises:
        TwitchError: Twitch cannot be reached, or does not have the VOD any more.
    """
    offset = vod.result.offset
    wanted = [Span(offset + span.start, offset + span.stop) for span in spans]
    stored = list(_stored(root, vod))
    missing = [span for span in wanted if _holding(stored, span) is None]
    if missing:
        stored += _fetch(root, vod, missing)
    holding = [_holding(stored, span) for span in wanted]
    return [
        Stretch(made.result.video, made.result.begin - offset, made.result.fps) for made in holding if made is not None
    ]


def _inputs(vod: Manifest[Vod]) -> dict[str, str]:
    """What a stretch depends on: its VOD, and the clock of its times. It does not depend on the part that is stored."""
    identity = f"{vod.result.source} {vod.result.clock!r}"
    return {vod.result.source: hashlib.sha256(identity.encode()).hexdigest()}


def _stored(root: Root, vod: Manifest[Vod]) -> Iterator[Manifest[SourceStretch]]:
    """The stretches of this VOD that the root holds whole, in order of their names."""
    stats = {stat.key: stat.size for stat in root.list(layout.source_folder(vod.result.vod))}
    keys = [key for key in stats if key.endswith(".json")]
    for made in each(lambda key: manifest.intact(root, key, SourceStretch), keys):
        if (
            made
            and made.inputs == _inputs(vod)
            and all(stats.get(output.key) == output.size for output in made.outputs)
        ):
            yield made


def _holding(stored: Sequence[Manifest[SourceStretch]], span: Span) -> Manifest[SourceStretch] | None:
    """The first stretch that holds the span and enough around it."""
    for made in stored:
        first, last = made.result.holds
        if first <= max(0.0, span.start - _NEEDED) and span.stop + _NEEDED <= last:
            return made
    return None


def _fetch(root: Root, vod: Manifest[Vod], missing: Sequence[Span]) -> Iterator[Manifest[SourceStretch]]:
    around = [Span(float(max(0, int(span.start) - _HANDLE)), float(int(span.stop) + 1 + _HANDLE)) for span in missing]
    wanted = merge(around, gap=_NEAR)
    assert vod.result.twitch_id is not None  # it `has_source`
    twitch_vod = twitch.describe(vod.result.twitch_id)
    rendition = twitch.best(twitch_vod.renditions)
    log.info("report %s: getting %d stretches in source quality (%s)", vod.result.vod, len(wanted), rendition.name)
    total = sum(span.duration for span in wanted)
    with (
        open_resumable_folder(root, "source", vod.result.vod) as folder,
        progress.bar(f"source {vod.result.vod}", total, "s") as advance,
    ):
        for span in wanted:
            yield _fetch_stretch(root, vod, twitch_vod, rendition, span, folder, advance)
        shutil.rmtree(folder.path)


def _fetch_stretch(
    root: Root,
    vod: Manifest[Vod],
    twitch_vod: twitch.TwitchVod,
    rendition: twitch.Rendition,
    span: Span,
    folder: ResumableFolder,
    advance: progress.Advance,
) -> Manifest[SourceStretch]:
    name = f"{layout.source_folder(vod.result.vod)}{vod.result.vod}_{_clock(span.start)}-{_clock(span.stop)}"
    segments = twitch.fetch(
        twitch_vod,
        rendition,
        folder.path / check_name(rendition.group, "rendition"),
        start=span.start,
        stop=span.stop,
        clock=vod.result.clock,
        advance=advance,
        hold=folder.lock,
    )
    video = folder.path / "video.mp4"
    trim.join(segments.playlist, video)
    info = probe(video)
    begin = round(segments.begin, 6)
    todo, _ = manifest.plan(root, f"{name}.json", SourceStretch, Config(), _inputs(vod), force=True)
    result = SourceStretch(
        video=f"{name}.mp4",
        begin=begin,
        # Past the end of the VOD there is nothing to be fetched.
        holds=(min(begin, span.start), max(begin + info.duration, span.stop)),
        width=info.width,
        height=info.height,
        fps=info.fps,
    )
    with todo.begin() as begun:
        return begun.finish(result, [Output.upload(root, video, f"{name}.mp4")])


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}h{int(seconds) // 60 % 60:02}m{int(seconds) % 60:02}s"
