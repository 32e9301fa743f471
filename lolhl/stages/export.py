"""export: the highlights of a VOD → files for programs for editing, players and spreadsheets.

The files refer to the stored video, or to the stretches in source quality that `report` cut its clips from. They are
made anew each time, since they name folders of this machine; nothing in lolhl reads them, so they have no manifest.

Highlights that an editor has corrected on the review page are exported as he left them.
"""

import logging
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Literal

from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.errors import ExportError, MissingInput, UsageError
from lolhl.exports.cut_list import Cut, CutList, Media, with_handles
from lolhl.exports.formats import FORMATS, Format
from lolhl.exports.media import address_in, describe
from lolhl.highlights.cut import Highlight
from lolhl.manifest import Manifest
from lolhl.results import Clips, Highlights, SourceStretch, Vod
from lolhl.review.corrected import corrected
from lolhl.review.corrections import Corrections, load_corrections
from lolhl.stages.highlights import load_input
from lolhl.storage import Root
from lolhl.timecode import Rate
from lolhl.vod.probe import probe

log = logging.getLogger(__name__)

_ALL = "all"
_ROUNDING = 0.1  # seconds that borders may miss a stretch by, whose length is one of whole frames
_IRREGULAR = 0.002  # of the rate: by so much the average of a steady video may miss a usual one
_FORMATS_HELP = "; ".join(f"{name}: {format.help}" for name, format in FORMATS.items())


@dataclass(frozen=True, kw_only=True)
class ExportConfig(Config):
    """What is exported."""

    format: str = setting(_ALL, f"{_FORMATS_HELP}; all: each that can be written", choices=(_ALL, *FORMATS))
    media: Literal["auto", "source", "stored"] = setting(
        "auto",
        "which videos cuts refer to: source is what clips were cut from in source quality, stored the whole stored "
        "video; auto takes the source where clips were cut from it",
    )
    handles: float = setting(
        0.0,
        "seconds added before and after each highlight, to be trimmed in the editor; cuts can be widened further, as "
        "far as their video reaches",
        at_least=0,
        at_most=600,
    )
    corrections: bool = setting(
        True,
        "highlights as they were corrected on the review page: without those that were rejected, with the borders that "
        "were moved, and with those that were added, which come last by rank; otherwise as the model found them",
    )
    top: int | None = setting(None, "only so many of the best highlights (default: all)", at_least=1)
    media_folder: str | None = setting(
        None,
        "where the editor's machine has the videos, as D:\\videos, if it is not this one (default: where they lie in "
        "the root)",
    )


@dataclass(frozen=True)
class Exported:
    """A file that was written: its VOD, format, key in the root, and how many highlights it has.

    Attributes:
        corrected: whether they are other than the model found them.
    """

    vod: str
    format: str
    key: str
    highlights: int
    corrected: bool = False


def export(root: Root, vod: str, config: ExportConfig = ExportConfig()) -> list[Exported]:
    """Writes the highlights of a VOD below highlights/<vod>/exports/, in one format or in all.

    Args:
        root: where the data lies.
        vod: name of a VOD that was reported.
        config: see `ExportConfig`.

    Returns:
        What was written. Of all formats those are left out that cannot hold these highlights, with a warning.

    Raises:
        MissingInput: the VOD has no highlights yet, or those are older than its scores; or the source was asked for,
            but was never fetched.
        ExportError: there are no highlights, or the format cannot hold them.
        UsageError: the media folder is no whole path.
        StorageError, VideoError: a video is gone, changed, or cannot be opened.
    """
    names = [*FORMATS] if config.format == _ALL else [config.format]
    cut_list, is_corrected = _cut_list(root, vod, config, names)
    return list(_write(root, cut_list, names, is_corrected=is_corrected))


def export_file(root: Root, vod: str, config: ExportConfig) -> bytes:
    """The bytes of one file as `export` writes it. It is not stored.

    Raises:
        UsageError: the settings name no single format.
        LolhlError: as `export`.
    """
    if config.format == _ALL:
        raise UsageError(f"one format at a time: {', '.join(FORMATS)}")
    form = FORMATS[config.format]
    cut_list, _ = _cut_list(root, vod, config, [config.format])
    _check(form, cut_list)
    return form.write(cut_list)


def _cut_list(root: Root, vod: str, config: ExportConfig, names: Sequence[str]) -> tuple[CutList, bool]:
    """What these formats are written from, and whether it is other than the model found it."""
    spans = manifest.load(root, layout.highlights(vod), Highlights, fresh=True)
    stored = load_input(root, spans, layout.vod(vod), Vod)
    highlights = spans.result.highlights
    corrections = load_corrections(root, vod)[0] if config.corrections else Corrections()
    cuts, kept = _cuts(highlights), _cuts(corrected(highlights, corrections, spans.result.duration))
    if not kept:
        raise none_left(vod, spans.result)
    changed = {cut.rank for cut in kept} - {cut.rank for cut in kept if cut in cuts}
    is_corrected = kept != cuts
    clip_list = _clips(root, spans)
    cuts = sorted(kept[: config.top], key=lambda cut: cut.span)
    if any(FORMATS[name].needs_media for name in names):
        cuts = _with_media(root, stored, clip_list, cuts, changed, config)
    fps = stored.result.fps
    if fps and abs(Rate.nearest(fps).fps / fps - 1) > _IRREGULAR:
        log.warning(
            "export %s: its pictures come at irregular times, %.4g a second on average: other programs may show cuts "
            "some frames early or late",
            vod,
            float(fps),
        )
    reel = _reel(root, clip_list, spans.result) if any(FORMATS[name].needs_reel for name in names) else ()
    return CutList(
        vod=vod,
        title=stored.result.title or vod,
        duration=spans.result.duration,
        video=PurePosixPath(stored.result.video).name,
        rate=Rate.nearest(fps) if fps else None,
        cuts=with_handles(cuts, config.handles, spans.result.duration),
        reel=tuple(reel),
    ), is_corrected


def none_left(vod: str, spans: Highlights) -> ExportError:
    """Says why no highlight is left of those that were found, or that none was."""
    reason = "all were rejected on the review page" if spans.highlights else spans.reason or "none were cut"
    return ExportError(f"VOD {vod} has no highlights: {reason}")


def _cuts(highlights: Sequence[Highlight]) -> list[Cut]:
    return [Cut(highlight.span, highlight.rank, highlight.reason) for highlight in highlights]


def _clips(root: Root, spans: Manifest[Highlights]) -> Manifest[Clips] | None:
    """The clips of these very highlights."""
    cut = manifest.find(root, layout.clips(spans.result.vod), Clips)
    key = layout.highlights(spans.result.vod)
    return cut if cut and cut.inputs.get(key) == spans.content_digest() else None


def _with_media(
    root: Root,
    stored: Manifest[Vod],
    clip_list: Manifest[Clips] | None,
    cuts: Sequence[Cut],
    changed: Set[int],
    config: ExportConfig,
) -> list[Cut]:
    """The cuts with the videos that they refer to.

    Cuts that were never fetched in source quality refer to none. Those that an editor has added, or widened beyond what
    was fetched, refer to the stored video, unless the source was asked for.

    Args:
        changed: the ranks of the cuts that an editor has added or moved.
    """
    vod = stored.result
    from_source = clip_list is not None and clip_list.result.clips_from == "source"
    if config.media == "source" and not from_source:
        if vod.twitch_id is None:
            raise UsageError(f"VOD {vod.vod} is not from Twitch, so its stored video is its source: leave --media out")
        raise MissingInput(
            f"VOD {vod.vod} has no clips in source quality: run `lolhl report {vod.vod} --clips-from source` first, or "
            "export with --media stored"
        )

    def stored_media() -> Media:
        return _describe(root, stored, vod.video, layout.remake(layout.vod(vod.vod)), vod.duration, config)

    if config.media == "stored" or not from_source:
        media = stored_media()
        return [replace(cut, media=media) for cut in cuts]
    assert clip_list
    videos = {clip.rank: clip.video for clip in clip_list.result.clips}
    stretches = {video: _stretch(root, vod, video, config) for video in {*videos.values()}}
    in_source, others = [], []
    for cut in cuts:
        stretch = stretches[videos[cut.rank]] if cut.rank in videos else None
        if stretch and (cut.rank not in changed or _holds(*stretch, cut)):
            in_source.append(replace(cut, media=stretch[0], begin=stretch[1]))
        else:
            others.append(cut)
    if others:
        log.info("export %s: %d highlights have no clip in source quality", vod.vod, len(others))
    if config.media == "auto" and changed & {cut.rank for cut in others}:
        whole = stored_media()
        others = [replace(cut, media=whole) if cut.rank in changed else cut for cut in others]
    return sorted([*in_source, *others], key=lambda cut: cut.span)


def _holds(media: Media, begin: float, cut: Cut) -> bool:
    """Whether a stretch in source quality holds the whole highlight, which may be wider than when its clip was cut."""
    length = media.frames / media.rate.fps
    return cut.span.start > begin - _ROUNDING and cut.span.stop < begin + float(length) + _ROUNDING


def _stretch(root: Root, vod: Vod, video: str, config: ExportConfig) -> tuple[Media, float]:
    """A stretch in source quality, and its time 0 in seconds of the stored video."""
    redo = f"lolhl report {vod.vod} --force"
    key = str(PurePosixPath(video).with_suffix(".json"))
    stretch = manifest.load(root, key, SourceStretch, redo)
    first, last = stretch.result.holds
    return _describe(root, stretch, video, redo, last - first, config), stretch.result.begin - vod.offset


def _describe(root: Root, stored: Manifest[Any], video: str, redo: str, duration: float, config: ExportConfig) -> Media:
    path, name = stored.local(root, video, redo), PurePosixPath(video).name
    is_remote = root.url.startswith("s3://")  # what is local then is a copy for a while
    folder = config.media_folder or (None if is_remote else str(path.resolve().parent))
    return describe(path, name, address_in(folder, name), duration)


def _reel(root: Root, clip_list: Manifest[Clips] | None, spans: Highlights) -> Iterator[tuple[str, float]]:
    """Name and seconds of each clip of the reel. A clip that is a copy begins before its highlight."""
    if clip_list is None or clip_list.result.reel is None:
        return
    names = {highlight.rank: highlight.span.name for highlight in spans.highlights}
    keys = {clip.rank: clip.key for clip in clip_list.result.clips}
    for rank in clip_list.result.reel_ranks or keys:
        path = clip_list.local(root, keys[rank], f"lolhl report {spans.vod} --force")
        yield names[rank], probe(path).duration


def _write(root: Root, cut_list: CutList, names: Sequence[str], *, is_corrected: bool) -> Iterator[Exported]:
    for name in names:
        form = FORMATS[name]
        key = f"{layout.highlights_folder(cut_list.vod)}exports/{form.file}"
        try:
            _check(form, cut_list)
            data = form.write(cut_list)
        except ExportError as error:
            if len(names) == 1:
                raise
            log.warning("export %s: no %s: %s", cut_list.vod, name, error)
            root.delete(key)  # of an earlier export, which had other highlights
            continue
        root.write(key, data)
        count = len(cut_list.pieces if form.needs_media else cut_list.cuts)
        yield Exported(cut_list.vod, name, key, count, is_corrected)


def _check(form: Format, cut_list: CutList) -> None:
    """Raises ExportError where the format needs what there is not."""
    rates = [piece.source.rate for piece in cut_list.pieces] if form.needs_media else [cut_list.rate]
    if form.needs_media and not cut_list.pieces:
        raise ExportError(f"no highlight of VOD {cut_list.vod} has a clip in source quality: try --media stored")
    if (form.needs_media or form.needs_rate) and not all(rates):
        raise ExportError(f"nobody knows the frame rate of VOD {cut_list.vod}: choose a format that holds times")
