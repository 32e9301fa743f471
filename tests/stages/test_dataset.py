import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolhl import layout, manifest
from lolhl.data import stretches
from lolhl.data.stretches import SplitVod
from lolhl.errors import DatasetError, LabelError, LolhlError, MissingInput, UsageError
from lolhl.frames.spec import FrameSpec
from lolhl.labels.chunks import chunks
from lolhl.labels.spans import Span, merge, on_grid
from lolhl.labels.store import load_labels, save_labels
from lolhl.labels.tables import read_table
from lolhl.manifest import Manifest
from lolhl.results import Dataset, FrameCount
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.dataset_counts import table
from lolhl.stages.dataset_sides import Source, assign
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from lolhl.storage.folder import Folder
from lolhl.vod.view import View
from tests.clock_results import shown_games
from tests.files import stored_key
from tests.labels.real import REAL, real_labels
from tests.results import FRAMES, VOD, store, unsealed


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


def extracted(root: Root, vod: str, seconds: int, spans: Sequence[Span] | None, **more: Any) -> None:
    """What extract and labels leave of a VOD, without the pictures."""
    result = replace(FRAMES, **{"vod": vod, "fit": "crop", "frames": seconds * 3, **more})
    spec = FrameSpec(View(result.fps, result.size, result.fit), result.quality, "grid")
    store(root, spec.manifest_key(vod), result)
    if spans is not None:
        save_labels(root, vod, list(spans))


def every(period: int, length: int, seconds: int) -> list[Span]:
    return [Span(start + 7, start + 7 + length) for start in range(0, seconds - period, period)]


def stored_vods(root: Root, made: Manifest[Dataset], name: str) -> list[SplitVod]:
    keys = stretches.keys(name)
    files = [made.read(root, key, "") for key in keys]
    return stretches.from_files(files, made.result.vods, made.result.fps, keys, "")


def samples_of(root: Root, made: Manifest[Dataset], name: str) -> pl.DataFrame:
    """The frames that are learnt from and judged on, as they are read: vod, frame, label and split."""
    vods, result = stored_vods(root, made, name), made.result
    sides = {
        "train": stretches.training_samples(vods, result.positives, result.seed),
        "validation": stretches.validation_samples(vods),
    }
    return pl.concat(
        pl.DataFrame(
            {"vod": [side.vods[number] for number in side.vod], "frame": side.frame, "label": side.label},
            schema={"vod": pl.String, "frame": pl.Int64, "label": pl.Boolean},
        ).with_columns(split=pl.lit(name))
        for name, side in sides.items()
    )


def test_samples(root: Root) -> None:
    extracted(root, "b", 1800, every(100, 14, 1800))
    extracted(root, "a", 1200, every(90, 12, 1200))
    made = dataset(root, "one", ["b", "a"])
    samples = samples_of(root, made, "one")
    assert samples.select("vod", "frame").is_unique().all()
    for (vod,), rows in samples.group_by("vod"):
        spans = load_labels(root, str(vod))
        assert rows["label"].to_list() == on_grid(spans, 5400, Fraction(3))[rows["frame"].to_numpy()].tolist()
        numbers = chunks(spans, 5400, Fraction(3))[rows["frame"].to_numpy()]
        assert rows.with_columns(chunk=numbers).group_by("chunk").agg(pl.col("split").n_unique())["split"].max() == 1
    for stored in stored_vods(root, made, "one"):
        assert stored.spans == load_labels(root, stored.vod)
    assert sum(output.size for output in made.outputs) < 10_000  # not a row for each frame

    # The manifest says what is in the samples, and all frames are accounted for.
    result = made.result
    assert (result.fps, result.size, result.fit) == (Fraction(3), 224, "crop")
    assert (result.vods, result.holdout, result.guard_seconds) == (["a", "b"], "chunks", 10.0)
    assert result.natural.frames == 9000
    for side in ("train", "validation"):
        own = samples.filter(split=side)
        labels = own["label"].to_numpy()
        assert getattr(result, side) == FrameCount(own.height, labels.sum(), labels.mean())
        for vod in "ab":
            rows = own.filter(vod=vod)
            count = getattr(result.per_vod[vod], side)
            assert (count.frames, count.positives) == (rows.height, rows["label"].sum())
    dropped = result.dropped
    assert result.train_before.frames == sum(part.frames for part in (result.train, dropped.guard, dropped.rebalancing))
    assert result.train_before.frames + result.validation.frames == 9000
    assert (dropped.rebalancing.positives, dropped.rebalancing.rate) == (0, 0.0)
    assert result.train.rate == pytest.approx(0.30, abs=0.001)
    assert result.validation.rate == pytest.approx(result.natural.rate, rel=0.2)
    assert result.validation.frames / 9000 == pytest.approx(0.15, abs=0.03)
    events = result.per_vod["b"].events
    assert events.train + events.validation == len(load_labels(root, "b"))
    assert events.without_frame == 0
    assert [layout.without_digest(output.key) for output in made.outputs] == [
        "datasets/one/spans.parquet",
        "datasets/one/stretches.parquet",
    ]


def test_done_once_and_again_only_when_something_changed(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    extracted(root, "a", 1200, every(90, 12, 1200))
    extracted(root, "b", 1200, every(80, 12, 1200))
    first = dataset(root, "d", ["a", "b"])
    key = stored_key(root, "datasets/d/stretches.parquet")
    data, stat = root.read(key), root.stat(key)
    assert dataset(root, "d", ["b", "a", "b"]) == first
    assert "dataset: done already" in caplog.text
    assert root.stat(key) == stat
    assert dataset(root, "d", ["a", "b"], force=True) == first
    assert root.stat(key) != stat
    assert root.read(key) == data
    other_seed = dataset(root, "d", ["a", "b"], DatasetConfig(seed=1))
    assert other_seed.outputs != first.outputs
    save_labels(root, "a", every(90, 13, 1200))
    assert dataset(root, "d", ["a", "b"], DatasetConfig(seed=1)).digest != other_seed.digest
    extracted(root, "a", 1201, None)
    assert dataset(root, "d", ["a", "b"]).result.natural.frames == 2401 * 3


def test_one_of_lolhl_0_1_is_made_anew(root: Root) -> None:
    """It has a row for each frame. `train` refuses it and names the command to run."""
    extracted(root, "a", 1200, every(90, 12, 1200))
    made = dataset(root, "d", ["a"])
    files = {stat.key: root.read(stat.key) for stat in root.list("datasets/")}
    old = json.loads(unsealed(made.to_bytes()))
    old["outputs"] = [{"key": "datasets/d/samples.parquet", "size": 0, "sha256": ""}]
    del old["result"]["positives"], old["result"]["seed"]
    root.write("datasets/d/dataset.json", json.dumps(old).encode())
    with pytest.raises(MissingInput, match=r"^datasets/d was made by an earlier lolhl, .*: run `lolhl dataset d a --f"):
        train(root, "m", TrainConfig(dataset="d"))
    dataset(root, "d", ["a"])
    assert {stat.key: root.read(stat.key) for stat in root.list("datasets/")}.items() >= files.items()


class Killed(BaseException):
    pass


@dataclass(frozen=True)
class Dying(Folder):
    """A folder that dies just after it has stored a part."""

    def write(self, key: str, data: bytes) -> None:
        super().write(key, data)
        if layout.without_digest(key).endswith("stretches.parquet"):
            raise Killed


def test_killed_before_the_manifest(root: Root, tmp_path: Path) -> None:
    """Then the earlier dataset stands, with its own stretches; the next run ends as an undisturbed one."""
    extracted(root, "a", 1200, every(90, 12, 1200))
    dataset(root, "d", ["a"], DatasetConfig(seed=1))
    files = {stat.key: root.read(stat.key) for stat in root.list("datasets/")}
    earlier = dataset(root, "d", ["a"], DatasetConfig(seed=2))
    with pytest.raises(Killed):
        dataset(Dying(tmp_path / "root"), "d", ["a"], DatasetConfig(seed=1))
    assert manifest.load(root, "datasets/d/dataset.json", Dataset) == earlier
    assert earlier.read(root, layout.stretches("d"), "")
    dataset(root, "d", ["a"], DatasetConfig(seed=1))
    assert files.items() <= {stat.key: root.read(stat.key) for stat in root.list("datasets/")}.items()


def test_the_split_does_not_depend_on_the_rebalancing(root: Root) -> None:
    extracted(root, "a", 1800, every(90, 12, 1800))
    sides = {}
    for positives in (0.2, 0.3, 0.9, 0.01):
        made = dataset(root, "d", ["a"], DatasetConfig(positives=positives))
        samples = samples_of(root, made, "d")
        sides[positives] = samples.filter(split="validation")["frame"].to_list()
        assert samples.filter(label=True).height == made.result.train.positives + made.result.validation.positives
        aim = max(positives, made.result.natural.rate or 0)
        assert made.result.train.rate == pytest.approx(aim, rel=0.1)
    assert all(frames == sides[0.3] for frames in sides.values())


def test_whole_vods_from_five_on(root: Root) -> None:
    vods = [f"v{i}" for i in range(6)]
    for i, vod in enumerate(vods):
        extracted(root, vod, 600 + i, every(90, 12, 600))
    four = dataset(root, "four", vods[:4]).result
    assert four.holdout == "chunks"
    assert all(counts.validation.frames for counts in four.per_vod.values())
    six = dataset(root, "six", vods).result
    assert six.holdout == "vods"
    assert six.dropped.guard.frames == 0
    held = [vod for vod, counts in six.per_vod.items() if counts.validation.frames]
    assert len(held) == 1
    assert six.per_vod[held[0]].train_before.frames == 0
    assert dataset(root, "six", vods, DatasetConfig(holdout="chunks")).result.holdout == "chunks"
    named = dataset(root, "six", vods, DatasetConfig(holdout="v1, v4")).result
    assert [vod for vod, counts in named.per_vod.items() if counts.validation.frames] == ["v1", "v4"]
    two = dataset(root, "two", vods[:2], DatasetConfig(holdout="vods")).result
    assert two.validation.frames in (1800, 1803)


def test_whole_games_are_held_out(root: Root) -> None:
    games = {"a": [(100, 800), (1000, 1700), (1900, 2500)], "b": [(300, 1200)]}
    for vod, seconds, spans in (
        ("a", 2700, [*every(90, 12, 850), Span(890, 925), *every(80, 12, 2500)[12:]]),
        ("b", 1500, every(70, 12, 1400)),
    ):
        extracted(root, vod, seconds, merge(spans))
        store(root, f"vods/{vod}/vod.json", VOD, vod=vod, duration=seconds)
        shown_games(root, vod, games[vod])
    config = DatasetConfig(holdout="games", validation=0.25)
    made = dataset(root, "d", ["a", "b"], config)
    assert made.result.holdout == "games"
    held = []
    for stored in stored_vods(root, made, "d"):
        side = np.full(8100, "-", dtype=object)
        for name, borders in stored.sides.items():
            for first, end in borders:
                side[first:end] = name
        for start, stop in games[stored.vod]:
            sides = {*side[3 * start : 3 * stop].tolist()} - {"-"}
            assert len(sides) == 1  # but for the guard, which drops some of the training side
            held += [(stored.vod, start)] * (sides == {"validation"})
        for span in stored.spans:
            assert len({*side[on_grid([span], 8100, Fraction(3))].tolist()} - {"-"}) <= 1
        at = {name: np.flatnonzero(side == name) for name in ("train", "validation")}
        if all(len(frames) for frames in at.values()):
            assert np.abs(at["train"][:, None] - at["validation"]).min() >= 30
    assert 1 <= len(held) <= 2
    assert made.result.validation.frames / made.result.natural.frames == pytest.approx(0.25, abs=0.12)
    assert dataset(root, "d", ["a", "b"], config) == made
    shown_games(root, "b", [(400, 1100)])
    assert dataset(root, "d", ["a", "b"], config).inputs != made.inputs


def test_games_that_nobody_knows_cannot_be_held_out(root: Root) -> None:
    extracted(root, "a", 900, every(90, 12, 900))
    config = DatasetConfig(holdout="games")
    unknown = r"^--holdout games: nobody knows the games of VOD a: run `lolhl clock a` first$"
    with pytest.raises(MissingInput, match=unknown):
        dataset(root, "d", ["a"], config)
    store(root, "vods/a/vod.json", VOD, vod="a")
    with pytest.raises(MissingInput, match=unknown):
        dataset(root, "d", ["a"], config)
    shown_games(root, "a", [])
    with pytest.raises(DatasetError, match="the clock of VOD a shows no game: leave the VOD out"):
        dataset(root, "d", ["a"], config)
    shown_games(root, "a", [(100, 800)])
    with pytest.raises(DatasetError, match="these VODs shows 1 game: name more VODs, or hold out chunks"):
        dataset(root, "d", ["a"], config)
    assert list(root.list("datasets/")) == []
    assert dataset(root, "d", ["a"]).result.holdout == "chunks"


def test_a_stream_without_highlights_among_others(root: Root) -> None:
    extracted(root, "a", 900, every(90, 12, 900))
    extracted(root, "quiet", 900, [])
    result = dataset(root, "d", ["a", "quiet"]).result
    assert result.per_vod["quiet"].natural == FrameCount(2700, 0, 0.0)
    assert result.per_vod["quiet"].train.frames > 0


def test_labels_after_the_frames_end(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    """The video broke off: what was labelled after that is told and passed over."""
    extracted(root, "a", 900, [*every(90, 12, 900), Span(890, 910), Span(1000, 1010)], truncated=True)
    result = dataset(root, "d", ["a"]).result
    assert result.per_vod["a"].events.without_frame == 1
    assert "VOD a: 1 of 11 labelled events have no frame" in caplog.text


def test_the_table(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    extracted(root, "a", 1200, every(90, 12, 1200))
    extracted(root, "b", 1200, every(80, 12, 1200))
    result = dataset(root, "d", ["a", "b"], DatasetConfig(context_seconds=15)).result
    lines = table(result).splitlines()
    assert table(result) in caplog.text
    assert [line.split()[:2] for line in lines[1:-1]] == [
        [vod, side] for vod in ("all", "a", "b") for side in ("train", "validation")
    ]
    dropped = [f"{count.frames:,}" for count in (result.dropped.guard, result.dropped.rebalancing)]
    train = result.train
    assert lines[1].split()[2:] == [f"{train.frames:,}", f"{train.positives:,}", "30.0%", *dropped]
    assert "chunks are held out" in lines[-1]
    assert "15 s apart" in lines[-1]


def test_what_is_missing(root: Root) -> None:
    with pytest.raises(
        MissingInput, match="VOD a has neither frames nor a video: run `lolhl download … --name a` first"
    ):
        dataset(root, "d", ["a"])
    extracted(root, "a", 900, None)
    with pytest.raises(MissingInput, match=r"labels/a.tsv does not exist: .*`lolhl labels FILE`"):
        dataset(root, "d", ["a"])
    root.write("labels/a.tsv", b"vid_id\tstart\tstop\na\t0:10\t0:05\n")
    with pytest.raises(LabelError, match=r"labels/a.tsv:2: .*inverted"):
        dataset(root, "d", ["a"])


def test_of_several_frame_sets_the_view_that_all_have_is_taken_or_has_to_be_named(root: Root) -> None:
    spans = [Span(at, at + 8) for at in range(5, 890, 40)]
    for vod in "ab":
        extracted(root, vod, 900, spans)
    extracted(root, "a", 900, None, size=96)
    extracted(root, "a", 900, None, quality=95)
    made = dataset(root, "d", ["a", "b"])
    assert made.result.size == 224
    assert {key for key in made.inputs if key.startswith("frames/")} == {
        "frames/a/3fps-224px-crop-q95/frameset.json",
        "frames/b/3fps-224px-crop-q90/frameset.json",
    }
    with pytest.raises(UsageError, match="of 2 views, 3fps-224px-crop and 3fps-96px-crop: choose by --fps, --size"):
        dataset(root, "d", ["a"])
    assert dataset(root, "small", ["a"], DatasetConfig(size=96)).result.size == 96
    assert dataset(root, "d", ["a", "b"], DatasetConfig(fps=Fraction(3), fit="crop")) == made  # it is the same work
    with pytest.raises(
        MissingInput, match="VOD b has no such frames, but 3fps-224px-crop: run `lolhl extract b --size 96`"
    ):
        dataset(root, "d", ["a", "b"], DatasetConfig(size=96))


@pytest.mark.parametrize(
    ("vods", "config", "error", "message"),
    [
        ([], {}, UsageError, "no VOD was named"),
        (["../a"], {}, UsageError, "'../a' is no name for a VOD"),
        (
            ["a", "other"],
            {},
            DatasetError,
            "differ: VOD a has 3fps-224px-crop and VOD other 3fps-160px-crop",
        ),
        (["quiet"], {}, DatasetError, "no frame lies in a highlight: import labels"),
        (["tiny"], {}, DatasetError, "validation would have no highlight"),
        (["full"], {}, DatasetError, "train would have nothing but highlights"),
        (["one"], {}, DatasetError, "would have no highlight: label more"),
        (["a"], {"holdout": "vods"}, UsageError, "no VOD is left to learn from"),
        (["a", "b"], {"holdout": "a,b"}, UsageError, "no VOD is left to learn from"),
        (["a", "b"], {"holdout": "c"}, UsageError, "'c' is no VOD of this dataset"),
        (["a", "b"], {"holdout": ""}, UsageError, "'' is no VOD of this dataset"),
        (["a", "quiet"], {"holdout": "quiet"}, DatasetError, "validation would have no highlight"),
    ],
)
def test_bad_calls(root: Root, vods: list[str], config: dict[str, Any], error: type[LolhlError], message: str) -> None:
    extracted(root, "a", 900, every(90, 12, 900))
    extracted(root, "b", 900, every(80, 12, 900))
    extracted(root, "other", 900, every(80, 12, 900), size=160)
    extracted(root, "quiet", 900, [])
    extracted(root, "tiny", 25, [Span(3, 9)])
    extracted(root, "full", 900, [Span(0, 900)])
    extracted(root, "one", 900, [Span(400, 420)])
    with pytest.raises(error, match=message) as raised:
        dataset(root, "d", vods, DatasetConfig(**config))
    assert "\n" not in str(raised.value)
    assert list(root.list("datasets/")) == []


def test_a_dataset_cannot_leave_the_root(root: Root) -> None:
    with pytest.raises(UsageError, match="is no name for a dataset"):
        dataset(root, "../d", ["a"])


@pytest.mark.parametrize(
    "config",
    [
        {"chunk_seconds": 0.5}, {"validation": 0.0}, {"validation": 1.0}, {"context_seconds": -1.0},
        {"positives": 0.0}, {"positives": 1.0}, {"seed": -1}, {"validation": float("nan")},
    ],
)  # fmt: skip
def test_bad_settings(config: dict[str, Any]) -> None:
    [name] = config
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} "):
        DatasetConfig(**config)


def fates(sources: list[Source], fps: Fraction, held: list[str] | None, config: DatasetConfig) -> pl.DataFrame:
    """Each frame with its side and its fate: the side again, or why it was dropped."""
    assigned = list(assign(sources, fps, held, config))
    vods = [part.split for part in assigned]
    train = stretches.training_samples(vods, config.positives, config.seed)
    tables = []
    for source, vod in zip(sources, vods, strict=True):
        fate = np.full(source.frames, "guard", dtype="U11")
        for side, dropped in (("train", "rebalancing"), ("validation", "validation")):
            for part in vod.stretches(side):  # type: ignore[arg-type]
                fate[part.first : part.end] = dropped
        fate[train.frame[train.by_vod()[vod.vod]]] = "train"
        tables.append(
            pl.DataFrame(
                {
                    "vod": [vod.vod] * source.frames,
                    "frame": np.arange(source.frames),
                    "label": on_grid(source.spans, source.frames, fps),
                    "side": np.where(fate == "validation", "validation", "train"),
                    "fate": fate,
                }
            )
        )
    return pl.concat(tables)


def check(frames: pl.DataFrame, config: DatasetConfig, fps: Fraction) -> None:
    """The rules that always hold, seen on what becomes of each frame."""
    used = frames.filter(pl.col("fate").is_in(["train", "validation"]))
    for _, rows in used.group_by("vod"):
        learnt, held = (rows.filter(fate=side)["frame"] for side in ("train", "validation"))
        if len(learnt) and len(held):
            pairs = pl.DataFrame({"train": learnt}).join_asof(
                pl.DataFrame({"held": held}), left_on="train", right_on="held", strategy="nearest"
            )
            nearest = (pairs["train"] - pairs["held"]).abs().min()
            assert isinstance(nearest, int)
            assert nearest / fps >= config.guard_seconds
    # A run of labelled frames is an event: it stands whole on one side.
    events = (
        frames.sort("vod", "frame")
        .with_columns(event=(pl.col("vod") + pl.col("label").rle_id().cast(pl.String)))
        .filter("label")
    )
    assert events.group_by("event").agg(pl.col("side").n_unique())["side"].max() in (1, None)
    # Validation is as streams are: nothing of its side was dropped.
    assert frames.filter(side="validation")["fate"].eq("validation").all()
    train = frames.filter(fate="train")
    natural = frames.filter(pl.col("fate").is_in(["train", "rebalancing"]))
    assert train["label"].sum() == natural["label"].sum()
    positives = int(train["label"].sum())
    if positives and positives / natural.height < config.positives:
        assert abs(positives / config.positives - train.height) <= 1
    else:
        assert train.height == natural.height


@settings(max_examples=40)
@given(st.data())
def test_the_rules_hold_on_any_labels(data: st.DataObject) -> None:
    fps = Fraction(data.draw(st.sampled_from(["3", "1", "1/2"])))
    sources = []
    for vod in data.draw(st.sampled_from(["a", "ab", "abc"])):
        pairs = data.draw(st.lists(st.tuples(st.integers(0, 3600), st.integers(1, 150)), max_size=25))
        spans = merge(Span(float(start), float(start + length)) for start, length in pairs)
        sources.append(Source(vod, int(data.draw(st.integers(60, 3600)) * fps), spans))
    config = DatasetConfig(
        context_seconds=data.draw(st.sampled_from([0.0, 15.5, 45.0])),
        positives=data.draw(st.sampled_from([0.1, 0.3, 0.8])),
        seed=data.draw(st.integers(0, 3)),
    )
    held: list[str] | None = [] if len(sources) > 1 and data.draw(st.booleans()) else None
    frames = fates(sources, fps, held, config)
    assert frames.height == sum(source.frames for source in sources)
    check(frames, config, fps)
    assert frames.equals(fates(sources, fps, held, config))


@pytest.mark.skipif(not REAL.exists(), reason="the labels of the real streams are not here")
@pytest.mark.parametrize("context", [0.0, 15.0, 60.0])
def test_the_rules_hold_on_the_real_labels(context: float) -> None:
    labels = read_table(real_labels(), "highlights.tsv")
    seconds = {"1863051677": 21927, "1886367077": 4350}
    sources = [Source(vod, seconds[vod] * 3, labels[vod]) for vod in sorted(labels)]
    for seed in range(3):
        config = DatasetConfig(context_seconds=context, seed=seed)
        frames = fates(sources, Fraction(3), None, config)
        check(frames, config, Fraction(3))
        held, train = frames.filter(fate="validation"), frames.filter(fate="train")
        assert held.height / frames.height == pytest.approx(0.15, abs=0.01)
        assert held["label"].mean() == pytest.approx(frames["label"].mean(), rel=0.03)
        assert train["label"].mean() == pytest.approx(0.30, abs=0.001)


def test_what_nobody_has_looked_at_is_on_neither_side(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    """Six hours of which twenty minutes were looked at: without that being told, the rest would be negative."""
    caplog.set_level(logging.INFO)
    extracted(root, "whole", 1800, every(100, 14, 1800))
    extracted(root, "part", 6 * 3600, None)
    accepted = [Span(start + 5, start + 20) for start in range(600, 3600, 200)]
    rejected = [Span(start + 105, start + 120) for start in range(600, 3600, 200)]
    looked_at = [Span(span.start - 5, span.stop + 5) for span in sorted([*accepted, *rejected])]
    save_labels(root, "part", accepted, looked_at)
    made = dataset(root, "d", ["whole", "part"])
    samples = samples_of(root, made, "d").filter(vod="part")
    seen = on_grid(looked_at, 6 * 3600 * 3, Fraction(3))
    assert seen[samples["frame"].to_numpy()].all()
    assert samples["label"].to_list() == on_grid(accepted, 6 * 3600 * 3, Fraction(3))[samples["frame"]].tolist()
    for side in ("train", "validation"):
        assert samples.filter(split=side)["label"].n_unique() == 2  # what was rejected teaches and judges too
    counts = made.result.per_vod["part"]
    assert (counts.natural.frames, counts.dropped.not_looked_at) == (int(seen.sum()), int((~seen).sum()))
    assert made.result.dropped.not_looked_at == counts.dropped.not_looked_at
    assert made.result.per_vod["whole"].dropped.not_looked_at == 0
    assert f"nobody has looked at {counts.dropped.not_looked_at:,} more frames" in caplog.text
    (stored,) = [vod for vod in stored_vods(root, made, "d") if vod.vod == "part"]
    assert sum(end - first for first, end in stored.unseen) == int((~seen).sum())
    save_labels(root, "part", accepted)
    assert dataset(root, "d", ["whole", "part"]).result.per_vod["part"].natural.frames == 6 * 3600 * 3


def test_held_out_vods_are_judged_where_they_were_looked_at(root: Root) -> None:
    for vod in "abcde":
        extracted(root, vod, 900, every(100, 14, 900))
    save_labels(root, "e", [Span(107, 121)], [Span(100, 200)])
    made = dataset(root, "d", list("abcde"), DatasetConfig(holdout="e"))
    assert made.result.holdout == "vods"
    held = samples_of(root, made, "d").filter(split="validation")
    assert held["frame"].to_list() == list(range(300, 600))
