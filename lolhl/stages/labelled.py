"""Chooses the labelled VODs that methods are judged on, and reads what is labelled there."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from lolhl import layout, manifest
from lolhl.frames.spec import FrameSpec, stored_of_all
from lolhl.labels.spans import Span
from lolhl.labels.store import read_labels
from lolhl.results import Frames, Games, Vod
from lolhl.stages.known_games import stored_clock
from lolhl.storage import MANY, Root, check_name, each


@dataclass(frozen=True)
class Labelled:
    """A labelled VOD: its spans, what was looked at of it, and the digests of these and of what its scores are made of.

    Attributes:
        looked_at: None where all of it was.
    """

    spans: Sequence[Span]
    inputs: Mapping[str, str]
    looked_at: Sequence[Span] | None = None


def labelled_vods(root: Root, named: str | None, learnt: Set[str]) -> dict[str, Labelled]:
    """The labelled VODs to judge on, in order of names.

    Args:
        root: where the data lies.
        named: their names, with commas between. None for all with a video or frames, but for those of `learnt`.
        learnt: the VODs that a method has learnt from.

    Raises:
        UsageError: a name is none.
        MissingInput: a VOD that is named has no labels.
        LabelError: a label file is wrong.
    """
    if named is None:
        vods = [vod for vod in layout.labelled(root) if vod not in learnt]
    else:
        vods = sorted({check_name(vod.strip(), "VOD") for vod in named.split(",")})
    specs = stored_of_all(root, vods)
    read = each(lambda vod: _read(root, vod, specs[vod], skip=named is None), vods, ahead=MANY)
    return {vod: source for vod, source in zip(vods, read, strict=True) if source}


def _read(root: Root, vod: str, frame_sets: Sequence[FrameSpec], *, skip: bool) -> Labelled | None:
    """
    Args:
        frame_sets: all that the VOD has.
        skip: True to return None where the VOD has neither a video nor frames.
    """
    if skip and not frame_sets and root.stat(layout.vod(vod)) is None:
        return None
    labels, digest = read_labels(root, vod)
    inputs = {layout.labels(vod): digest, **media_inputs(root, vod, frame_sets)}
    return Labelled(labels.spans, inputs, labels.looked_at)


def media_inputs(root: Root, vod: str, frame_sets: Sequence[FrameSpec]) -> dict[str, str]:
    """The digests of what scores are made of: the VOD's video, its games, when they are on, and its frame sets,
    as far as these exist.

    Args:
        frame_sets: all that the VOD has.
    """
    video = manifest.find(root, layout.vod(vod), Vod)
    inputs = {layout.vod(vod): video.content_digest()} if video else {}
    if games := manifest.find(root, layout.games(vod), Games):
        inputs[layout.games(vod)] = games.content_digest()
    if video and (clock := stored_clock(root, video)) and clock.result.games:
        inputs[layout.clock(vod)] = clock.content_digest()
    keys = [spec.manifest_key(vod) for spec in frame_sets]
    return inputs | {key: manifest.load(root, key, Frames).content_digest() for key in keys}
