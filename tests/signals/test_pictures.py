"""pictures: what is stored is what the backbone sees, from frames and from a video, and is seen once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from lolhl import manifest
from lolhl.backbones.encoder import Encoder
from lolhl.backbones.feature_runtime import FeatureRuntime, Features, Pictures, open_runtime
from lolhl.errors import ModelError
from lolhl.frames.frameset import FrameSet
from lolhl.labels.spans import Span
from lolhl.models.network import Network
from lolhl.results import Vod
from lolhl.signals import make_track, stored_track
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import FrameSource, Source, VideoSource
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import Root, open_root
from lolhl.tracks.filling import End, Gap, Taken
from lolhl.tracks.recipe import Layout
from lolhl.vod.view import View
from tests.streams import action_video

VIEW = ExtractConfig(size=32).view


@pytest.fixture(scope="module")
def runtime() -> FeatureRuntime:
    torch.manual_seed(0)
    return open_runtime(Encoder.from_network(Network("resnet18").eval()), torch.device("cpu"))


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """VOD v: 20 s, 60 instants, a key frame every 2 s."""
    root = open_root(str(tmp_path / "root"))
    download(root, str(action_video(tmp_path / "v.mp4", [Span(6, 11)], seconds=20)))
    return root


def frames(root: Root, mode: Literal["grid", "scan"]) -> FrameSource:
    config = ExtractConfig(size=32, mode=mode)
    extract(root, "v", config)
    return FrameSource(FrameSet.load(root, "v", config.spec))


def video(root: Root) -> VideoSource:
    return VideoSource(root, manifest.load(root, "vods/v/vod.json", Vod, ""), "cpu")


def source(root: Root, kind: str, layout: Layout) -> Source:
    return frames(root, layout) if kind == "frames" else video(root)


def counting(runtime: FeatureRuntime, seen: list[int]) -> PictureSignal:
    """The signal, noting the pictures that it looks at."""

    def noted(batches: Iterable[Pictures]) -> Iterator[Pictures]:
        for batch in batches:
            seen.append(len(batch))
            yield batch

    return PictureSignal(replace(runtime, run=lambda batches: runtime.run(noted(batches))), VIEW)


def features(runtime: FeatureRuntime, pictures: Pictures) -> Features:
    size = runtime.batch
    return np.concatenate(list(runtime.run(pictures[at : at + size] for at in range(0, len(pictures), size))))


@pytest.mark.parametrize("layout", ["grid", "scan"])
@pytest.mark.parametrize("kind", ["frames", "video"])
def test_what_is_stored_is_what_the_runtime_gives_and_nothing_is_seen_twice(
    runtime: FeatureRuntime, root: Root, kind: str, layout: Layout
) -> None:
    measured = source(root, kind, layout)
    timed = Taken(measured.pictures(VIEW, layout, Gap(0, None), 7))
    times, pictures = (np.concatenate(column) for column in zip(*timed, strict=True))
    assert timed.end == End(60, 20.0)
    assert len(times) == (60 if layout == "grid" else 10)
    seen: list[int] = []
    for looked_at in (len(times), 0):
        seen.clear()
        track = make_track(counting(runtime, seen), measured, layout)
        assert sum(seen) == looked_at
        assert len(track) == 60
        rows = list(track.rows())
        np.testing.assert_array_equal(np.concatenate([some.times for some in rows]), times)
        np.testing.assert_array_equal(np.concatenate([some.values for some in rows]), features(runtime, pictures))
    assert track.made.result.source == kind


@pytest.mark.parametrize("layout", ["grid", "scan"])
@pytest.mark.parametrize("kind", ["frames", "video"])
def test_the_pictures_of_gaps_are_those_of_the_whole(root: Root, kind: str, layout: Layout) -> None:
    measured = source(root, kind, layout)
    times, pictures = (
        np.concatenate(column)
        for column in zip(*measured.pictures(VIEW, layout, Gap(0, None), 4), strict=True)
    )  # fmt: skip
    for first, stop in ((0, 4), (3, 8), (5, None), (len(times), None)):
        before = None if stop is None else times[stop]
        gap = Gap(first, stop, times[first - 1] if first else -1.0, before)
        taken = Taken(measured.pictures(VIEW, layout, gap, 4))
        batches = list(taken)
        assert [time for some, _ in batches for time in some.tolist()] == times[first:stop].tolist()
        if batches:
            np.testing.assert_array_equal(np.concatenate([some for _, some in batches]), pictures[first:stop])
        if stop is None:
            assert taken.end == End(60, 20.0)


def test_a_backbone_whose_features_are_no_numbers_is_named(runtime: FeatureRuntime, root: Root) -> None:
    broken = replace(runtime, run=lambda batches: (np.full_like(batch, np.inf) for batch in runtime.run(batches)))
    with pytest.raises(ModelError, match=r"VOD v .* no numbers: choose another --backbone"):
        make_track(PictureSignal(broken, VIEW), frames(root, "scan"), "scan")
    assert not list(root.list("tracks/"))


def test_tracks_of_other_frames_views_and_backbones_lie_beside_each_other(runtime: FeatureRuntime, root: Root) -> None:
    measured = frames(root, "grid")
    make_track(PictureSignal(runtime, VIEW), measured, "grid")
    others: list[tuple[PictureSignal, Source, Layout]] = [
        (PictureSignal(replace(runtime, digest="other"), VIEW), measured, "grid"),
        (PictureSignal(runtime, VIEW), video(root), "grid"),
        (PictureSignal(runtime, VIEW), frames(root, "scan"), "scan"),
        (PictureSignal(runtime, View(VIEW.fps, 64, "crop")), video(root), "grid"),
    ]
    for signal, other, layout in others:
        assert stored_track(signal, other, layout) is None
        make_track(signal, other, layout)
    assert sum(stat.key.endswith("track.json") for stat in root.list("tracks/v/")) == 5
    assert stored_track(PictureSignal(replace(runtime, name="another"), VIEW), measured, "grid")


def test_frames_of_another_view_are_refused(runtime: FeatureRuntime, root: Root) -> None:
    signal = PictureSignal(runtime, View(VIEW.fps, 64, "squeeze"))
    with pytest.raises(ModelError, match="the frames 3fps-32px-squeeze-q90 of VOD v are none"):
        make_track(signal, frames(root, "grid"), "grid")
