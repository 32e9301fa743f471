"""What `retrain` learns from: the labels of all labelled VODs, and the frames or the video of each."""

import codecs
import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lolhl import layout, manifest
from lolhl.config import restored
from lolhl.errors import MissingInput
from lolhl.frames.spec import FrameSpec, among, stored_of_all, view_name
from lolhl.labels.store import has_a_person_s, parse_labels, read_file
from lolhl.manifest import Manifest
from lolhl.results import Frames, Retraining, Vod
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import MANY, Root, each
from lolhl.vod.view import USUAL, View

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledSource:
    """A labelled VOD.

    Attributes:
        data, digest: the file of its labels, and the sha256 of that.
        marked: the spans of it in any form.
        of_games: no person gave them.
        in_part: somebody has looked at a part of the VOD alone.
        frame_sets: those that there are, best first.
    """

    data: bytes
    digest: str
    marked: Sequence[object]
    of_games: bool
    in_part: bool
    frame_sets: Sequence[FrameSpec]


def labelled_sources(root: Root, last: Manifest[Retraining] | None) -> dict[str, LabelledSource]:
    """All labelled VODs that have a video or frames, in order of names.

    Args:
        root: where the data lies.
        last: the last retraining, whose labels are not parsed again where they are the same.

    Raises:
        MissingInput: there are fewer than two.
        LabelError: a label file is wrong.
    """
    vods = layout.labelled(root)
    specs = stored_of_all(root, vods)
    sources = each(lambda vod: _read_labels(root, vod, specs[vod], last), vods, ahead=MANY)
    labelled = {vod: source for vod, source in zip(vods, sources, strict=True) if source}
    if len(labelled) < 2:
        raise MissingInput(
            f"{root.url} has {len(labelled)} labelled VODs with a video, and retraining needs two, to learn from one "
            "and to judge on the other: get more with `lolhl download` and `lolhl labels`"
        )
    return labelled


def _read_labels(
    root: Root, vod: str, frame_sets: Sequence[FrameSpec], last: Manifest[Retraining] | None
) -> LabelledSource | None:
    """The labels of a VOD. None where it has neither a video nor frames."""
    if not frame_sets and not root.stat(layout.vod(vod)):
        log.warning("retrain: VOD %s has labels and no video: get it with `lolhl download … --name %s`", vod, vod)
        return None
    data = read_file(root, vod)
    digest = hashlib.sha256(data).hexdigest()
    # What the last retraining has read is not parsed again before it is clear that something else is new.
    known = last.result.labels.get(vod) if last and last.inputs.get(layout.labels(vod)) == digest else None
    # Most files name neither a source nor what was looked at, and are not parsed for this.
    words, is_utf16 = data.lower(), data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if known is not None and not is_utf16 and b"source" not in words and b"looked_at" not in words:
        return LabelledSource(data, digest, known, of_games=False, in_part=False, frame_sets=frame_sets)
    labels = parse_labels(root, vod, data)
    of_games, in_part = not has_a_person_s(labels.spans), labels.looked_at is not None
    return LabelledSource(data, digest, labels.spans, of_games, in_part, frame_sets)


@dataclass(frozen=True)
class Media:
    """What the pictures of a VOD are learnt from: its frame set, or its video.

    Attributes:
        key, digest: of its manifest.
        config: the settings that frames were extracted with; empty for a video.
    """

    key: str
    digest: str
    config: Mapping[str, Any]


def media_of(
    root: Root,
    stored_specs: Mapping[str, Sequence[FrameSpec]],
    view: View | None,
    last: Manifest[Retraining] | None,
    *,
    pixels: bool,
) -> tuple[View, dict[str, Media]]:
    """The view, and what all VODs are learnt from: frame sets in this view, or the videos of VODs without frames.

    Frames that are too old, or of another view, are extracted: with the settings that they had before, or with those of
    another VOD.

    Args:
        root: where the data lies.
        stored_specs: VOD → the frame sets that it has, best first.
        view: the view of the model to learn like. None stands for that of the last retraining, or else the one that
            most VODs have.
        last: the last retraining.
        pixels: whether frames are needed of all VODs.
    """
    if view is None and last:
        specs = {spec for vod_specs in stored_specs.values() for spec in vod_specs}
        view = next((spec.view for spec in among(last.inputs).values() if spec in specs), None)
    if view is None:
        views = Counter(view for vod_specs in stored_specs.values() for view in {spec.view for spec in vod_specs})
        default = USUAL
        view = max(views, key=lambda view: (views[view], view == default, view_name(view)), default=default)
    best = {
        vod: next((spec for spec in vod_specs if spec.view == view), None) for vod, vod_specs in stored_specs.items()
    }
    frame_sets = dict(zip(best, each(lambda vod: _fresh(root, vod, best[vod]), best, ahead=MANY), strict=True))
    others = next((frame_set.config for frame_set in frame_sets.values() if frame_set), {})
    media = {}
    for vod, spec in best.items():
        frame_set = frame_sets[vod]
        if frame_set is None and not stored_specs[vod] and not pixels:
            key = layout.vod(vod)
            frame_set = Media(key, manifest.load(root, key, Vod).content_digest(), {})
        elif frame_set is None:
            key = spec.manifest_key(vod) if spec else ""
            old = manifest.find(root, key, Frames) if spec else None
            like = restored(ExtractConfig, old.config if old else others, f"{root.url}/{key}", layout.remake(key))
            config = replace(like, fps=view.fps, size=view.size, fit=view.fit)
            extracted = extract(root, vod, config)
            frame_set = Media(config.spec.manifest_key(vod), extracted.content_digest(), extracted.config)
        media[vod] = frame_set
    return view, media


def _fresh(root: Root, vod: str, spec: FrameSpec | None) -> Media | None:
    """The frame set, without the list of its files; None where it is missing or too old."""
    if spec is None:
        return None
    with suppress(MissingInput):
        key = spec.manifest_key(vod)
        stored = manifest.load(root, key, Frames, spec.command(vod), fresh=True)
        return Media(key, stored.content_digest(), stored.config)
    return None
