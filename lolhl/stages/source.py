"""The source quality of a Twitch VOD that is stored in a smaller rendition: only what clips are cut from.

vods/<vod>/source/ holds stretches of the stream as the streamer sent it, each whole segments of Twitch in
an .mp4, and beside each its manifest: a stretch that is there is not fetched again.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from lolhl import manifest, progress
from lolhl.config import Config
from lolhl.labels.spans import Span, merge
from lolhl.manifest import Manifest, Output
from lolhl.results import SourceStretch, Vod
from lolhl.stages.scratch import Scratch, open_scratch
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
        key: of its video in the root.
        start: its time 0, in seconds of the stored video; negative where it begins before that.
        fps: of its pictures.
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


def stretches(root: Root, vod: Manifest[Vod], spans: Sequence[Span]) -> list[Stretch]:
    """For each span the stretch that holds it; those that are not there are fetched.

    Killed at any moment and run again, it goes on with the segments that are there.

    Args:
        vod: the manifest of a VOD that `has_source`.
        spans: in seconds of the stored video.

    Raises:
        TwitchError: Twitch cannot be reached, or does not have the VOD any more.
    """
    offset = vod.result.offset
    wanted = [Span(offset + span.start, offset + span.stop) for span in spans]
    there = list(_there(root, vod))
    missing = [span for span in wanted if _holding(there, span) is None]
    if missing:
        there += _fetch(root, vod, missing)
    found = [_holding(there, span) for span in wanted]
    return [
        Stretch(made.result.video, made.result.begin - offset, made.result.fps) for made in found if made is not None
    ]


def _folder(vod: Manifest[Vod]) -> str:
    return f"vods/{vod.result.vod}/source"


def _inputs(vod: Manifest[Vod]) -> dict[str, str]:
    """What a stretch depends on: which VOD it is of, and by what clock its times are told. Not on the part stored."""
    said = f"{vod.result.source} {vod.result.clock!r}"
    return {vod.result.source: hashlib.sha256(said.encode()).hexdigest()}


def _there(root: Root, vod: Manifest[Vod]) -> Iterator[Manifest[SourceStretch]]:
    """The stretches of this VOD that lie in the root whole, in order of their names."""
    stats = {stat.key: stat.size for stat in root.list(f"{_folder(vod)}/")}
    keys = [key for key in stats if key.endswith(".json")]
    for made in each(lambda key: manifest.intact(root, key, SourceStretch), keys):
        if made and made.inputs == _inputs(vod) and all(stats.get(o.key) == o.size for o in made.outputs):
            yield made


def _holding(there: Sequence[Manifest[SourceStretch]], span: Span) -> Manifest[SourceStretch] | None:
    """The first stretch that holds the span and enough around it."""
    for made in there:
        first, last = made.result.holds
        if first <= max(0.0, span.start - _NEEDED) and span.stop + _NEEDED <= last:
            return made
    return None


def _fetch(root: Root, vod: Manifest[Vod], missing: Sequence[Span]) -> Iterator[Manifest[SourceStretch]]:
    around = [Span(float(max(0, int(span.start) - _HANDLE)), float(int(span.stop) + 1 + _HANDLE)) for span in missing]
    wanted = merge(around, gap=_NEAR)
    assert vod.result.twitch_id is not None  # it `has_source`
    said = twitch.describe(vod.result.twitch_id)
    rendition = twitch.best(said.renditions)
    log.info("report %s: getting %d stretches in source quality (%s)", vod.result.vod, len(wanted), rendition.name)
    total = sum(span.duration for span in wanted)
    with (
        open_scratch(root, "source", vod.result.vod) as scratch,
        progress.bar(f"source {vod.result.vod}", total, "s") as advance,
    ):
        for span in wanted:
            yield _fetch_one(root, vod, said, rendition, span, scratch, advance)
        shutil.rmtree(scratch.path)


def _fetch_one(
    root: Root,
    vod: Manifest[Vod],
    said: twitch.TwitchVod,
    rendition: twitch.Rendition,
    span: Span,
    scratch: Scratch,
    advance: progress.Advance,
) -> Manifest[SourceStretch]:
    name = f"{_folder(vod)}/{vod.result.vod}_{_clock(span.start)}-{_clock(span.stop)}"
    segments = twitch.fetch(
        said,
        rendition,
        scratch.path / check_name(rendition.group, "rendition"),
        start=span.start,
        stop=span.stop,
        clock=vod.result.clock,
        advance=advance,
        hold=scratch.lock,
    )
    video = scratch.path / "video.mp4"
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
