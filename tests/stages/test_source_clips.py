"""Clips in source quality of a VOD that is stored in a smaller rendition."""

import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import opentimelineio as otio
import pytest

from lolhl import layout, manifest, results
from lolhl.errors import Conflict
from lolhl.manifest import Manifest
from lolhl.review.corrections import Correction, Corrections, save_corrections
from lolhl.stages.download import DownloadConfig, download
from lolhl.stages.export import ExportConfig, export
from lolhl.stages.highlights import HighlightsConfig, highlights
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root, open_root
from lolhl.vod.probe import probe
from tests.servers import set_environ
from tests.servers.seaweedfs import seaweedfs
from tests.servers.twitch import Twitch, Vod, rendition, twitch
from tests.stages.report_root import add_scores, bumps
from tests.videos import numbered_video
from tests.vod.shown import shown

ID = "123456789"
SECONDS = 80
SMALL = DownloadConfig(quality="160p")
FPS = {"chunked": Fraction(60), "160p30": Fraction(30)}
SHAPES = {"chunked": (96, 64), "160p30": (48, 32)}
PEAKS = [(12, 0.9, 6), (60, 0.8, 6)]


@pytest.fixture(scope="module")
def vod(tmp_path_factory: pytest.TempPathFactory) -> Vod:
    """The source at 60 pictures a second: its picture 2 n is shown when picture n of the small rendition is."""
    folder = tmp_path_factory.mktemp("twitch")
    for group, fps in FPS.items():
        film = numbered_video(folder / f"{group}.mp4", seconds=SECONDS, fps=fps, size=SHAPES[group])
        rendition(film, folder / "vod" / group)
    return Vod(
        folder / "vod",
        SECONDS,
        qualities={"chunked": "1080p60", "160p30": "160p"},
        resolutions={"chunked": "96x64", "160p30": "48x32"},
    )


@pytest.fixture
def server(vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twitch]:
    with twitch(tmp_path, vod) as running:
        set_environ(monkeypatch, running.environ)
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


def scored(
    root: Root, server: Twitch, peaks: Sequence[tuple[float, float, float]] = PEAKS, **config: Any
) -> results.Vod:
    """Downloads the VOD, scores it, forgets what was asked for. Returns what is said of the VOD."""
    made = download(root, ID, replace(SMALL, **config))
    add_scores(root, ID, bumps(made.result.duration, peaks))
    server.requests.clear()
    return made.result


def config(**changes: Any) -> ReportConfig:
    return ReportConfig(**{"min_length": 4.0, "clips": "exact", "pad_before": 1.25, "pad_after": 1.25, **changes})


def cut(root: Root, made: Manifest[results.Report]) -> list[list[tuple[float, int]]]:
    """Time and number of the pictures of each clip, in order of time."""
    clips = sorted(made.result.highlights, key=lambda highlight: highlight.start)
    return [shown(root.local(highlight.clip)) for highlight in clips if highlight.clip]


@pytest.mark.parametrize("clips", ["exact", "copy"])
@pytest.mark.parametrize("start", [0.0, 5.3])
def test_clips_from_the_source_show_the_same_instants(root: Root, server: Twitch, clips: str, start: float) -> None:
    scored(root, server, start=start)
    stored = cut(root, report(root, ID, config(clips=clips, clips_from="stored")))
    assert server.requests == []
    made = report(root, ID, config(clips=clips))
    from_source = cut(root, made)
    assert made.result.clips_from == "source"
    assert len(from_source) == len(stored) == 2
    for source_clip, stored_clip in zip(from_source, stored, strict=True):
        # A picture of the source may lie between.
        assert source_clip[0][1] in (2 * stored_clip[0][1], 2 * stored_clip[0][1] - 1)
        by_number = {number: time - source_clip[0][0] for time, number in source_clip}
        # A copy ends in the order of decoding, so that a picture that others refer to may be its last.
        end = None if clips == "exact" else -4
        for time, number in stored_clip[1 : end or -1]:
            # Times count from the first picture of each clip, which may lie up to 1/60 s apart.
            assert by_number[2 * number] == pytest.approx(time - stored_clip[0][0], abs=1 / 60 + 0.002)
        numbers = [number for _, number in source_clip][:end]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert shown(root.local(str(made.result.reel)))


def test_only_the_segments_around_highlights_are_fetched(root: Root, server: Twitch) -> None:
    scored(root, server)
    made = report(root, ID, config())
    numbers = sorted(int(re.findall(r"chunked/(\d+)\.ts", name)[0]) for name in server.segments())
    assert len(numbers) == len(set(numbers)) < SECONDS / 4 * 0.75
    for highlight in made.result.highlights:
        inside = range(int((highlight.start - 2) // 4), int((highlight.stop + 2) // 4) + 1)
        assert set(inside) <= set(numbers)
    kept = [stat.key for stat in root.list(f"vods/{ID}/source/") if stat.key.endswith(".mp4")]
    assert len(kept) == 2
    assert not list(Path(root.url).glob(".unfinished-source"))


def test_nothing_is_fetched_twice(root: Root, server: Twitch) -> None:
    scored(root, server)
    before = cut(root, report(root, ID, config(clips_top=1)))
    assert all(re.search(r"chunked/[0-6]\.ts", name) for name in server.segments())
    server.requests.clear()
    report(root, ID, config())
    assert server.segments()
    assert not any(re.search(r"chunked/[0-6]\.ts", name) for name in server.segments())
    server.requests.clear()
    assert cut(root, report(root, ID, config(), force=True))[0] == before[0]
    report(root, ID, config(pad_before=2.5))
    assert server.requests == []
    # A stretch that was damaged is.
    broken = next(stat.key for stat in root.list(f"vods/{ID}/source/") if stat.key.endswith(".mp4"))
    root.write(broken, b"")
    assert report(root, ID, config(), force=True).result.clips_from == "source"
    assert server.segments()


def test_edit_lists_name_what_the_editor_opens(root: Root, server: Twitch) -> None:
    scored(root, server)
    made = report(root, ID, config())
    edit_list = root.read(f"highlights/{ID}/exports/highlights.edl").decode()
    names = re.findall(r"FROM CLIP NAME: (.*)", edit_list)
    cuts = re.findall(r"^\d{3}  AX       AA/V  C        (\S+) (\S+)", edit_list, re.MULTILINE)
    for name, (first, end), clip in zip(names, cuts, cut(root, made), strict=True):
        source = shown(root.local(f"vods/{ID}/source/{name}"))
        counted = [int(t[6:8]) * 60 + int(t[9:]) for t in (first, end)]
        pictures = [number for time, number in source if counted[0] - 0.5 <= time * 60 < counted[1] - 0.5]
        assert abs(pictures[0] - clip[0][1]) <= 1
        assert abs(pictures[-1] - clip[-1][1]) <= 1
    stored = root.read(f"highlights/{ID}/exports/highlights-stored.edl").decode()
    assert stored.count("FROM CLIP NAME: video.mp4") == 2


def test_without_twitch_clips_come_from_what_is_stored(
    root: Root, server: Twitch, caplog: pytest.LogCaptureFixture
) -> None:
    scored(root, server)
    server.faults.status["/video"] = 503
    made = report(root, ID, config())
    assert "answered 503" in caplog.text
    assert "clips are cut from the stored 160p, in 48 x 32; the same command tries" in caplog.text
    assert (made.result.clips_from, made.result.source_may_come) == ("stored", True)
    assert [clip[0][1] for clip in cut(root, made)] == [round(h.start * 30) for h in made.result.highlights]
    assert "FROM CLIP NAME: video.mp4" in root.read(f"highlights/{ID}/exports/highlights.edl").decode()
    server.faults.status.clear()
    made = report(root, ID, config())
    assert (made.result.clips_from, made.result.source_may_come) == ("source", False)
    server.requests.clear()
    assert report(root, ID, config()) == made
    assert server.requests == []


def test_twitch_that_fails_changes_the_clips_only(root: Root, server: Twitch) -> None:
    scored(root, server)
    server.faults.status["/video"] = 503
    first = report(root, ID, config())
    cut_first = {stat.key: root.read(stat.key) for stat in root.list(f"highlights/{ID}/")}
    clip = Path(root.local(str(first.result.highlights[0].clip))).stat().st_ino
    assert report(root, ID, config()) == first
    assert Path(root.local(str(first.result.highlights[0].clip))).stat().st_ino == clip  # not cut again
    assert {stat.key: root.read(stat.key) for stat in root.list(f"highlights/{ID}/")} == cut_first
    server.faults.status.clear()
    assert report(root, ID, config()).result.clips_from == "source"
    cut_later = {stat.key: root.read(stat.key) for stat in root.list(f"highlights/{ID}/")}
    changed = {key for key in cut_first if cut_later.get(key) != cut_first[key]}
    clips = {key for key in cut_first if key.endswith((".mp4", ".edl"))}
    assert changed == clips | {f"highlights/{ID}/{name}" for name in ("clips.json", "report.json", "report.html")}
    assert report(root, ID, config(clips_from="stored")).result.highlights[0].clip
    assert root.read(f"highlights/{ID}/highlights.json") == cut_first[f"highlights/{ID}/highlights.json"]


def test_shorts_are_cut_from_the_source_too(root: Root, server: Twitch) -> None:
    scored(root, server)
    wanted = config(clips="none", shorts=True, shorts_height=320)
    server.faults.status["/video"] = 503
    report(root, ID, wanted)
    first = manifest.load(root, layout.shorts(ID), results.Shorts).result
    assert (first.shorts_from, first.source_may_come) == ("stored", True)
    server.faults.status.clear()
    report(root, ID, wanted)
    made = manifest.load(root, layout.shorts(ID), results.Shorts).result
    assert (made.shorts_from, made.source_may_come, made.channel) == ("source", False, "lck")
    for short in made.shorts:
        assert probe(root.local(short.key)).fps == 60
        assert short.video.startswith(f"vods/{ID}/source/")


class _Asked(threading.Event):
    """Holds an answer back for ever, and tells when it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.now = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.now.set()
        return super().wait(timeout)


def test_a_run_with_other_settings_in_the_meantime_is_told(root: Root, server: Twitch) -> None:
    scored(root, server)
    held = server.faults.held["chunked/14.ts"] = _Asked()
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(report, root, ID, config())
        assert held.now.wait(60)
        highlights(root, ID, HighlightsConfig(threshold=0.85))
        held.set()
        with pytest.raises(Conflict, match=r"highlights\.json was made anew by another run in the meantime: run again"):
            first.result()
    assert report(root, ID, config()).result.clips_from == "source"


@pytest.mark.slow
def test_killed_while_the_source_comes(root: Root, server: Twitch) -> None:
    scored(root, server)
    held = server.faults.held["chunked/14.ts"] = _Asked()
    options = ["--min-length", "4", "--clips", "exact", "--pad-before", "1.25", "--pad-after", "1.25"]
    command = [sys.executable, "-m", "lolhl", "report", ID, "--root", root.url, *options]
    with subprocess.Popen(command) as process:
        assert held.now.wait(120)
        process.kill()
    held.set()
    finished = root.read(f"highlights/{ID}/highlights.json")
    assert root.stat(f"highlights/{ID}/clips.json") is None
    made = report(root, ID, config())
    assert made.result.clips_from == "source"
    assert root.read(f"highlights/{ID}/highlights.json") == finished
    assert [clip[0][1] for clip in cut(root, made)]


def test_a_vod_that_has_gone_is_not_asked_for_again(
    vod: Vod, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @contextmanager
    def serving(folder: Path, changed: Vod) -> Iterator[Twitch]:
        folder.mkdir()
        with twitch(folder, changed) as server:
            set_environ(monkeypatch, server.environ)
            yield server

    with serving(tmp_path / "there", vod) as server:
        scored(root, server)
    with serving(tmp_path / "gone", replace(vod, state="deleted")) as server:
        made = report(root, ID, config())
        assert "was deleted" in caplog.text
        assert (made.result.clips_from, made.result.source_may_come) == ("stored", False)
        server.requests.clear()
        assert report(root, ID, config()) == made
        assert server.requests == []


def test_a_connection_that_drops_and_the_run_after(root: Root, server: Twitch) -> None:
    scored(root, server)
    server.faults.cut["chunked/14.ts"] = 1000
    assert report(root, ID, config()).result.clips_from == "stored"
    server.faults.cut.clear()
    server.requests.clear()
    made = report(root, ID, config())
    assert made.result.clips_from == "source"
    assert server.segments() == ["chunked/14.ts"]
    assert not list(Path(root.url).glob(".unfinished-source"))


def test_the_source_itself_needs_nothing_more(root: Root, server: Twitch) -> None:
    scored(root, server, quality="source")
    assert report(root, ID, config()).result.clips_from == "stored"
    assert server.requests == []


def test_another_vod_in_its_place_takes_the_stretches_away(root: Root, server: Twitch, vod: Vod) -> None:
    scored(root, server)
    report(root, ID, config())
    assert list(root.list(f"vods/{ID}/source/"))
    download(root, str(vod.folder.parent / "160p30.mp4"), name=ID, force=True)
    assert not list(root.list(f"vods/{ID}/source/"))


@pytest.mark.slow
def test_a_bucket(server: Twitch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("LOLHL_CACHE", str(tmp_path / "cache"))
    with seaweedfs(tmp_path / "weed") as weed:
        set_environ(monkeypatch, weed.environ)
        root = open_root(f"s3://{weed.bucket}/data")
        scored(root, server)
        made = report(root, ID, config())
        assert made.result.clips_from == "source"
        assert [clip[0][1] % 2 for clip in cut(root, made)]
        server.requests.clear()
        report(root, ID, config(reel=False))
        assert server.requests == []


def test_exports_refer_to_the_source_or_to_the_stored_video(root: Root, server: Twitch) -> None:
    scored(root, server)
    made = report(root, ID, config())
    (file,) = export(root, ID, ExportConfig(format="otio", handles=2))
    timeline = otio.adapters.read_from_string(root.read(file.key).decode(), "otio_json")
    for clip, pictures in zip(timeline.video_tracks()[0].find_clips(), cut(root, made), strict=True):
        path = Path(unquote(urlsplit(clip.media_reference.target_url).path))
        assert path.parent == root.local(f"vods/{ID}/source/{path.name}").parent
        source = shown(path)
        first = clip.source_range.start_time.value + 2 * clip.source_range.start_time.rate
        assert abs(source[round(first)][1] - pictures[0][1]) <= 1
        # The stretch has 5 s before and after, of which these are 2.
        assert clip.media_reference.available_range.duration.value > clip.source_range.duration.value
    (file,) = export(root, ID, ExportConfig(format="edl", media="stored"))
    assert root.read(file.key).count(b"FROM CLIP NAME: video.mp4") == len(made.result.highlights)


def test_what_an_editor_added_or_widened_beyond_the_source_refers_to_the_stored_video(
    root: Root, server: Twitch
) -> None:
    scored(root, server)
    first, second = sorted(
        (highlight.start, highlight.stop) for highlight in report(root, ID, config()).result.highlights
    )
    spans = (
        Correction(first[0] - 1, first[1], "accepted", was=first),  # the stretch has 5 s before and after
        Correction(second[0] - 15, second[1], "accepted", was=second),
        Correction(30, 34, "accepted"),
    )
    save_corrections(root, ID, Corrections(spans=spans), SECONDS)
    (file,) = export(root, ID, ExportConfig(format="otio"))
    timeline = otio.adapters.read_from_string(root.read(file.key).decode(), "otio_json")
    clips = list(timeline.video_tracks()[0].find_clips())
    names = [Path(unquote(urlsplit(clip.media_reference.target_url).path)).name for clip in clips]
    assert names[0] != "video.mp4"
    assert names[1:] == ["video.mp4", "video.mp4"]
    seconds = [float(clip.source_range.duration.to_seconds()) for clip in clips]
    widths = sorted((span.start, span.stop - span.start) for span in spans)
    assert seconds == pytest.approx([width for _, width in widths], abs=0.05)
    (file,) = export(root, ID, ExportConfig(format="otio", media="source"))
    assert file.highlights == 1
