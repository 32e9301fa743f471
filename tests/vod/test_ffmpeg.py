"""Files from strangers: what ffmpeg and its libraries open, what they see, and whose fault a failure is."""

import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import pytest

from lolhl.errors import VideoError
from lolhl.labels.spans import Span
from lolhl.vod import cpu, cuda, cut, trim
from lolhl.vod.decode import View, decode
from lolhl.vod.probe import probe
from tests.videos import numbered_video
from tests.vod.shown import shown

VIEW = View(Fraction(3), 64, "squeeze")
DASH = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S" minBufferTime="PT1S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4">
 <Representation id="0" bandwidth="100000"><BaseURL>file://{video}</BaseURL></Representation>
</AdaptationSet></Period></MPD>"""
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile://{video}\n#EXT-X-ENDLIST\n"
LISTS = {
    "dash": DASH,
    "hls": HLS,
    "hls after a tag of music": "ID3\x04\0\0\0\0\0\x0a" + "\0" * 10 + HLS,
    "concat": "ffconcat version 1.0\nfile 'file:{video}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}
OPENERS: dict[str, Callable[[Path, Path], object]] = {
    "probe": lambda video, _: probe(video),
    "decode": lambda video, _: list(decode(video, VIEW)),
    "a session": lambda video, _: list(cuda.Session(cpu.Reader(video, VIEW), VIEW, on_card=False).grid(0, None)),
    "a clip": lambda video, target: cut.clip(video, Span(1, 2), target, exact=True),
    "a part": lambda video, target: trim.trim(video, target, 1, 2),
}


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that lies on the same machine as what a stranger sent."""
    return numbered_video(tmp_path_factory.mktemp("private") / "secret.mp4", seconds=4, sound=False)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", ["video.mp4", "list"])
def test_a_file_that_names_others_opens_none_of_them(
    secret: Path, tmp_path: Path, name: str, kind: str, opener: str
) -> None:
    video, target = tmp_path / name, tmp_path / "target.mp4"
    video.write_text(LISTS[kind].format(video=secret))
    with suppress(VideoError):
        assert not OPENERS[opener](video, target)
    assert not target.exists()


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    while data:
        size = int.from_bytes(data[:4], "big")
        yield data[4:8], data[8:size]
        data = data[size:]


def pointing_to(data: bytes, reference: bytes) -> bytes:
    """The boxes of an .mp4 with another data reference."""
    made = b""
    for kind, content in boxes(data):
        if kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
            content = pointing_to(content, reference)
        elif kind == b"dref":
            content = content[:8] + reference
        made += struct.pack(">I", 8 + len(content)) + kind + content
    return made


def test_the_data_references_of_an_mp4_are_not_followed(secret: Path, tmp_path: Path) -> None:
    whole = dict(boxes(secret.read_bytes()))
    path = b"/x/secret.mp4"
    alias = bytes(10) + bytes(28) + bytes(12) + bytes(64) + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    alias += struct.pack(">HH", 2, len(path) + 1) + path + b"\0" + struct.pack(">hH", -1, 0)
    reference = struct.pack(">I", 12 + len(alias)) + b"alis" + bytes(4) + alias
    video = secret.parent / "reference.mov"
    heads = b"".join(struct.pack(">I", 8 + len(whole[kind])) + kind + whole[kind] for kind in (b"ftyp", b"moov"))
    video.write_bytes(pointing_to(heads, reference))
    with av.open(str(video), options={"enable_drefs": "1"}) as container:
        assert len(list(container.decode(video=0))) == 120  # it would work
    with pytest.raises(VideoError, match="holds no picture"):
        list(decode(video, VIEW))
    with pytest.raises(VideoError):
        cut.clip(video, Span(1, 2), tmp_path / "clip.mp4", exact=True)
    assert trim.trim(video, tmp_path / "part.mp4", 1, 2) is None


@pytest.mark.parametrize(
    ("line", "content"),
    [
        ('#EXT-X-MAP:URI="file://{video}"', b""),
        ("file://{video}", b""),
        ("../private/secret.mp4", b""),
        ("link.ts", b""),
        ("list.ts", b"#EXTM3U\n#EXTINF:4,\nfile://{video}\n"),
    ],
)
def test_a_playlist_of_segments_names_nothing_else(secret: Path, tmp_path: Path, line: str, content: bytes) -> None:
    folder = tmp_path / "segments"
    folder.mkdir()
    subprocess.run(["ffmpeg", "-v", "error", "-i", secret, "-c", "copy", folder / "00000.ts"], check=True)
    (folder / "link.ts").symlink_to(secret)
    (folder / "list.ts").write_bytes(content)
    playlist = folder / "playlist.m3u8"
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n00000.ts\n"
    playlist.write_text(f"{head}#EXT-X-ENDLIST\n")
    trim.join(playlist, tmp_path / "good.mp4")
    assert len(shown(tmp_path / "good.mp4")) == 120
    playlist.write_text(f"{head}#EXTINF:4,\n{line.format(video=secret)}\n#EXT-X-ENDLIST\n")
    for work in (trim.join, lambda playlist, target: trim.trim(playlist, target, 0, None)):
        with pytest.raises(VideoError, match="segment"):
            work(playlist, tmp_path / "bad.mp4")
    assert not (tmp_path / "bad.mp4").exists()


def program(folder: Path, text: str) -> Path:
    """A program called ffmpeg."""
    folder.mkdir()
    path = folder / "ffmpeg"
    path.write_text(text.replace("REAL", "/usr/bin/ffmpeg"))
    path.chmod(0o755)
    return path


def lolhl(*words: str | Path, path: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"PATH": f"{path.parent}:{os.environ['PATH']}"} | environ
    return subprocess.run([sys.executable, "-m", "lolhl", *words], env=env, capture_output=True, text=True, check=False)


NO_LIBX264 = """#!/bin/sh
for word; do [ "$word" = libx264 ] && { echo "Unknown encoder 'libx264'" >&2; exit 1; }; done
exec REAL "$@"
"""
BROKEN = {
    "no program": ("no program", "cannot be started .Exec format error.: install"),
    "no interpreter": ("#!/no/such/file\n", "cannot be started .+: install"),
    "exit 127": ("#!/bin/sh\necho lib.so: not found >&2\nexit 127\n", "is no ffmpeg that works here .+: install"),
    "exit 1": ("#!/bin/sh\nexit 1\n", "is no ffmpeg that works here .+: install"),
    "exit 0": ("#!/bin/sh\nexit 0\n", "is no ffmpeg that works here .+: install"),
    "no encoder": (NO_LIBX264, "is no ffmpeg that works here .Unknown encoder 'libx264'.: install"),
    "killed": ('#!/bin/sh\n[ "$1" = -version ] && exec REAL "$@"\nkill -9 $$\n', r"killed \(SIGKILL\): run again"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_ffmpeg_is_not_the_video_s_fault(secret: Path, tmp_path: Path, kind: str) -> None:
    text, words = BROKEN[kind]
    path = program(tmp_path / "bin", text)
    video = tmp_path / "video.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-i", secret, "-c:v", "ffv1", video], check=True)  # to be encoded
    call = ["download", video, "--start", "1", "--stop", "2", "--root", tmp_path / "root"]
    done = lolhl(*map(str, call), path=path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert (str(path) in done.stderr) == (kind != "killed")
    assert "download it again" not in done.stderr
    assert list(tmp_path.glob("root/vods/*")) == []
    assert re.search(words, done.stderr), done.stderr


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk that is full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    (folder / "filled").write_bytes(bytes(180_000))
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_not_the_video_s_fault(tmp_path: Path, full: Path) -> None:
    video = numbered_video(tmp_path / "video.mp4", seconds=8, options=("-qp", "0", "-vf", "noise=alls=99:allf=t"))
    assert video.stat().st_size > 1_000_000
    ffmpeg = Path("/usr/bin/ffmpeg")
    for part in (["--start", "1", "--stop", "7"], []):
        done = lolhl("download", str(video), *part, "--root", str(full / "root"), path=ffmpeg)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "No space left on device" in done.stderr
        assert "make room there" in done.stderr
        assert "download it again" not in done.stderr
    assert not (full / "root" / "vods").exists() or list((full / "root" / "vods").rglob("*.json")) == []


def test_ffmpeg_sees_none_of_our_secrets(secret: Path, tmp_path: Path) -> None:
    path = program(tmp_path / "bin", f'#!/bin/sh\nenv >> {tmp_path}/env\nexec REAL "$@"\n')
    keep = {"LC_ALL": "C.UTF-8", "CUDA_VISIBLE_DEVICES": "0", "TMPDIR": str(tmp_path)}
    hide = {
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "MLFLOW_TRACKING_PASSWORD": "s3cret",
        "LOLHL_TWITCH_TOKEN": "s3cret",
        "LOLHL_RIOT_KEY": "s3cret",
    }
    hide |= {"HTTPS_PROXY": "http://user:s3cret@127.0.0.1:9", "ANYTHING_ELSE": "s3cret"}
    call = ["download", secret, "--start", "1", "--stop", "2", "--root", tmp_path / "root"]
    done = lolhl(*map(str, call), path=path, **keep, **hide)
    assert done.returncode == 0, done.stderr
    seen = (tmp_path / "env").read_text()
    assert all(f"{name}={value}\n" in seen for name, value in keep.items())
    assert "s3cret" not in seen
