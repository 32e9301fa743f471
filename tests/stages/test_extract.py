"""extract: a VOD's video becomes a frame set on the exact grid."""

import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lolhl import layout
from lolhl.errors import MissingInput, StorageError, UsageError, VideoError
from lolhl.frames.frameset import FrameSet
from lolhl.frames.spec import FrameSpec, stored
from lolhl.manifest import Manifest
from lolhl.results import Frames
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import Root, open_root
from lolhl.vod.decode import View, decode
from tests.videos import numbered_video, read_number

SMALL = ExtractConfig(size=96, fit="crop", shard_mb=0.05)
SCAN = ExtractConfig(size=96, fit="crop", shard_mb=0.008, mode="scan")
KEY = SMALL.spec.manifest_key("v")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    download(root, str(numbered_video(tmp_path / "v.mp4", seconds=20, sound=False)))
    return root


def numbers(root: Root, vod: str = "v", config: ExtractConfig = SMALL) -> list[int]:
    frames = FrameSet.load(root, vod, config.spec)
    return [read_number(picture) for picture in frames.read(range(len(frames)))]


def index_of(made: Manifest[Frames]) -> str:
    return next(output.key for output in made.outputs if output.key.endswith(".parquet"))


def test_every_frame_is_there_once_in_order(root: Root) -> None:
    made = extract(root, "v", SMALL)
    assert made.result.frames == 60
    assert made.result.ended_at == 20.0
    assert not made.result.truncated
    assert numbers(root) == list(range(0, 600, 10))
    frames = FrameSet.load(root, "v", SMALL.spec)
    assert frames.view == View(Fraction(3), 96, "crop")
    assert [read_number(p) for p in frames.read([59, 0, 30])] == [590, 0, 300]


def test_shards_are_plain_tar_files_and_the_index_points_into_them(root: Root) -> None:
    made = extract(root, "v", SMALL)
    index = pl.read_parquet(root.local(index_of(made)))
    assert index.columns == ["frame", "time", "shard", "offset", "length"]
    assert index["time"].to_list() == [k / 3 for k in range(60)]
    shards = [output for output in made.outputs if output.key.endswith(".tar")]
    assert len(shards) > 2
    seen = 0
    for number, shard in enumerate(shards):
        data = root.read(shard.key)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard.size, shard.sha256)
        with tarfile.open(root.local(shard.key)) as archive:
            rows = index.filter(pl.col("shard") == number)
            for member, row in zip(archive.getmembers(), rows.iter_rows(named=True), strict=True):
                file = archive.extractfile(member)
                assert file is not None
                assert file.read() == data[row["offset"] : row["offset"] + row["length"]]
                assert member.name == f"{row['frame']:08}.jpg"
                seen += 1
    assert seen == 60


def test_frames_are_the_decoder_s_pictures_but_for_jpeg(root: Root) -> None:
    extract(root, "v", SMALL)
    pictures = np.stack(list(decode(root.local("vods/v/video.mp4"), SMALL.view)))
    stored = FrameSet.load(root, "v", SMALL.spec).read(range(60))
    assert np.abs(pictures.astype(int) - stored).mean() < 2


def test_done_is_done_and_other_settings_are_other_work(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    first = extract(root, "v", SMALL)
    before = root.stat(KEY)
    caplog.set_level("INFO")
    assert extract(root, "v", SMALL) == first
    assert "done already" in caplog.text
    assert root.stat(KEY) == before
    assert extract(root, "v", SMALL, force=True).to_bytes() == first.to_bytes()
    other = extract(root, "v", replace(SMALL, shard_mb=0.02))
    assert len(other.outputs) > len(first.outputs)
    left = {stat.key for stat in root.list("frames/v/")}
    assert left == {KEY} | {output.key for output in other.outputs}
    assert numbers(root) == list(range(0, 600, 10))


def test_a_truncated_video_says_where_it_ended(tmp_path: Path) -> None:
    root = open_root(str(tmp_path / "root"))
    whole = numbered_video(tmp_path / "w.mp4", seconds=30, sound=False, options=("-movflags", "faststart"))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    download(root, str(cut))
    result = extract(root, "cut", SMALL).result
    assert result.truncated
    assert 5 < result.ended_at < 25
    assert result.frames == len(numbers(root, "cut")) == result.ended_at * 3


@pytest.mark.parametrize("ending", ["ts", "mkv", "mov", "webm"])
def test_other_containers(tmp_path: Path, ending: str) -> None:
    root = open_root(str(tmp_path / "root"))
    video = numbered_video(tmp_path / "v.mp4", seconds=6, fps=Fraction(60), sound=False)
    other = tmp_path / f"o.{ending}"
    codec = ["-c:v", "libvpx", "-deadline", "realtime"] if ending == "webm" else ["-c", "copy"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", video, *codec, other], check=True)
    download(root, str(other))
    extract(root, "o", SMALL)
    exact = list(range(0, 360, 20))
    # Matroska rounds times to the millisecond: a picture may come that much after its instant.
    assert all(a - b <= 1 for a, b in zip(exact, numbers(root, "o"), strict=False))
    assert len(numbers(root, "o")) in (18, 19)


def test_a_run_goes_on_after_the_last_stored_shard(root: Root) -> None:
    whole = extract(root, "v", SMALL)
    shards = [output for output in whole.outputs if output.key.endswith(".tar")]
    copies = {output.key: root.read(output.key) for output in shards}
    root.delete(KEY)

    class Broken(Exception):
        pass

    class Failing:
        """The root, until its second shard."""

        def __getattr__(self, name: str) -> object:
            return getattr(root, name)

        def ahead(self, _: object) -> "Failing":
            return self

        def upload(self, path: Path, key: str) -> None:
            if "/shard-000001-" in key:
                raise Broken
            root.upload(path, key)

    with pytest.raises(Broken):
        extract(Failing(), "v", SMALL)  # type: ignore[arg-type]
    assert root.stat(KEY) is None
    first = root.stat(shards[0].key)
    assert extract(root, "v", SMALL) == whole
    assert root.stat(shards[0].key) == first  # not written again
    assert {key: root.read(key) for key in copies} == copies
    assert root.stat(layout.unfinished_frames("v", SMALL.spec.name)) is None


def test_bad_input(root: Root, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="lolhl download"):
        extract(root, "other", SMALL)
    with pytest.raises(UsageError, match="is no name"):
        extract(root, "../v", SMALL)
    with pytest.raises(UsageError, match="--quality 0"):
        ExtractConfig(quality=0)
    path = root.local("vods/v/video.mp4")
    size = path.stat().st_size
    path.write_text("not a video any more")
    with pytest.raises(StorageError, match=r"video.mp4 was changed .*20 bytes.*lolhl download … --name v --force"):
        extract(root, "v", SMALL)
    path.write_bytes(b"x" * size)
    with pytest.raises(VideoError):
        extract(root, "v", SMALL)
    assert root.stat(KEY) is None
    shutil.rmtree(tmp_path / "root" / "vods")
    with pytest.raises(MissingInput):
        extract(root, "v", SMALL)


def test_frame_sets_lie_side_by_side(root: Root) -> None:
    made = extract(root, "v", SMALL)
    for config in (ExtractConfig(size=64), replace(SMALL, quality=80), replace(SMALL, fps=Fraction(30000, 1001)), SCAN):
        extract(root, "v", config)
    assert extract(root, "v", SMALL) == made
    assert [spec.name for spec in stored(root, "v")] == [
        "3fps-96px-crop-q90",
        "3fps-64px-squeeze-q90",
        "30000_1001fps-96px-crop-q90",
        "3fps-96px-crop-q80",
        "3fps-96px-crop-q90-scan",
    ]
    assert all(FrameSpec.parse(spec.name) == spec for spec in stored(root, "v"))
    assert numbers(root) == list(range(0, 600, 10))


@pytest.mark.parametrize("fps", ["3", "1/2", "30000/1001", "240"])
def test_a_name_says_which_frame_set_it_is(fps: str) -> None:
    spec = ExtractConfig(fps=Fraction(fps), size=16, fit="crop", quality=1).spec
    assert "/" not in spec.name
    assert FrameSpec.parse(spec.name) == spec
    for name in (
        "features",
        "3fps-224px-squeeze",
        "3fps-224px-squeeze-q90-",
        "0fps-224px-crop-q90",
        "1_0fps-2px-crop-q9",
    ):
        assert FrameSpec.parse(name) is None


def test_frames_at_the_place_of_lolhl_0_1_are_refused_until_they_are_made_anew(root: Root) -> None:
    made = extract(root, "v", SMALL)
    old = ["frameset.json", "index.parquet", "shard-000000.tar", "features/x/0.npy"]
    for name in old:
        root.write(f"frames/v/{name}", b"{}")
    with pytest.raises(MissingInput, match=r"frames/v/frameset\.json was made by an earlier lolhl.*`lolhl extract v`"):
        stored(root, "v")
    assert extract(root, "v", SMALL) == made
    assert stored(root, "v") == [SMALL.spec]
    assert not any(root.stat(f"frames/v/{name}") for name in old)


def test_bytes_of_a_shard_are_compared_with_their_digest(root: Root) -> None:
    made = extract(root, "v", SMALL)
    shard = root.local(made.outputs[2].key)
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1  # padding, which no picture needs
    shard.write_bytes(data)
    frames = FrameSet.load(root, "v", SMALL.spec)
    assert read_number(frames.read([0])[0]) == 0
    with pytest.raises(StorageError, match=rf"{shard.name} is damaged: run `lolhl extract v .*--quality 90 --force`"):
        frames.read(range(60))
    assert extract(root, "v", SMALL, force=True) == made
    assert numbers(root) == list(range(0, 600, 10))


def test_a_damaged_shard_is_named(root: Root) -> None:
    made = extract(root, "v", SMALL)
    shard = root.local(made.outputs[1].key)
    shard.write_bytes(b"\0" * shard.stat().st_size)
    with pytest.raises(StorageError, match=r"shard-0.*--force"):
        FrameSet.load(root, "v", SMALL.spec).read([0])


def test_frames_of_an_earlier_download_are_refused(root: Root, tmp_path: Path) -> None:
    extract(root, "v", SMALL)
    other = numbered_video(tmp_path / "other.mp4", seconds=5)
    download(root, str(other), name="v", force=True)
    with pytest.raises(MissingInput, match=r"older than vods/v/vod\.json.*lolhl extract v"):
        FrameSet.load(root, "v", SMALL.spec)
    extract(root, "v", SMALL)
    assert len(FrameSet.load(root, "v", SMALL.spec)) == 15


def test_scan_mode_holds_the_key_frames_and_reads_the_nearest(root: Root) -> None:
    made = extract(root, "v", SCAN)
    result = made.result
    assert (result.mode, result.frames, result.pictures, result.gap) == ("scan", 60, 10, 2.0)
    assert (result.ended_at, result.truncated) == (20.0, False)
    frames = FrameSet.load(root, "v", SCAN.spec)
    assert not frames.is_whole
    assert len(frames) == 60
    assert frames.times.tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert numbers(root, config=SCAN) == [min(540, round(k / 6 - 0.01) * 60) for k in range(60)]
    assert [read_number(p) for p in frames.pictures([9, 0, 3])] == [540, 0, 180]
    assert pl.read_parquet(root.local(index_of(made)))["frame"].to_list() == list(range(0, 60, 6))


def test_a_scan_goes_on_after_the_last_stored_shard(root: Root) -> None:
    whole = extract(root, "v", SCAN)
    shards = [output for output in whole.outputs if output.key.endswith(".tar")]
    assert len(shards) > 2
    root.delete(SCAN.spec.manifest_key("v"))

    class Failing:
        def __getattr__(self, name: str) -> object:
            return getattr(root, name)

        def ahead(self, _: object) -> "Failing":
            return self

        def upload(self, path: Path, key: str) -> None:
            if key == shards[1].key:
                raise StorageError("full")
            root.upload(path, key)

    with pytest.raises(StorageError):
        extract(Failing(), "v", SCAN)  # type: ignore[arg-type]
    first = root.stat(shards[0].key)
    assert extract(root, "v", SCAN) == whole
    assert root.stat(shards[0].key) == first
