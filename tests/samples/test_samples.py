import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import tests.samples
from lolhl.errors import UsageError
from lolhl.labels import tables
from lolhl.labels.spans import Span
from lolhl.vod import ffmpeg
from lolhl.vod.probe import probe
from tests.samples.__main__ import MAPS, main
from tests.samples.game import FPS, play
from tests.samples.highlights import LEAD_IN, LEAD_OUT, Event, highlights
from tests.samples.video import film

SMALL = (320, 240)
BUSY = "freedoom2/map23"  # a small map, where enemies are met at once
SCENES = [Span(0, 40), Span(40, 80)]


def test_a_fight_is_a_span_around_its_events() -> None:
    events = [Event(10, 20), Event(12, 30), Event(14.5, 10)]
    assert highlights(events, SCENES) == [Span(10 - LEAD_IN, 14.5 + LEAD_OUT)]


def test_a_skirmish_is_no_highlight_unless_somebody_dies() -> None:
    assert highlights([Event(10, 39)], SCENES) == []
    assert highlights([Event(10, 39, decisive=True)], SCENES) == [Span(8, 11)]


def test_fights_far_apart_are_two_spans_and_damage_is_not_summed_over_both() -> None:
    assert highlights([Event(10, 50), Event(20, 50)], SCENES) == [Span(8, 11), Span(18, 21)]
    assert highlights([Event(10, 30), Event(20, 30)], SCENES) == []


def test_no_span_goes_over_the_border_of_a_scene() -> None:
    events = [Event(0.5, 50), Event(39.5, 50), Event(41, 50)]
    assert highlights(events, SCENES) == [Span(0, 1.5), Span(37.5, 40), Span(40, 42)]


def test_the_streams_share_no_map() -> None:
    assert not set(MAPS["demo-a"]) & set(MAPS["demo-b"])


def test_the_same_seed_plays_the_same_game_and_another_one_does_not() -> None:
    def pictures(seed: int) -> npt.NDArray[np.uint8]:
        moments = itertools.islice(play(BUSY, seed=seed, size=SMALL), 3 * FPS)
        return np.stack([moment.picture for moment in moments])

    first = pictures(1)
    assert first.shape == (3 * FPS, 240, 320, 3)
    assert np.array_equal(first, pictures(1))
    assert not np.array_equal(first, pictures(2))


@pytest.mark.slow
def test_a_stream_is_h264_at_30_fps_with_its_highlights_inside(tmp_path: Path) -> None:
    def rendered(name: str) -> tuple[Path, list[Span]]:
        video, labels = tmp_path / f"{name}.mp4", tmp_path / f"{name}.tsv"
        tests.samples.render(video, labels, seconds=15, seed=3, maps=[BUSY], size=SMALL)
        return video, tables.read_table(labels.read_bytes(), labels.name)[name]

    video, spans = rendered("one")
    info = probe(video)
    assert (info.codec, info.fps, info.width, info.height) == ("h264", Fraction(FPS), *SMALL)
    assert info.has_audio
    assert abs(info.duration - 15) < 0.05
    assert _picture_times(video) == [number / FPS for number in range(15 * FPS)]
    assert spans
    assert all(0 <= span.start < span.stop <= 15 for span in spans)
    assert rendered("two")[1] == spans


def test_damage_is_shown_at_the_time_of_its_event(tmp_path: Path) -> None:
    """Pain tints the whole picture red: so the decoded video itself says when the player was hit."""
    video = tmp_path / "a.mp4"
    tests.samples.render(video, tmp_path / "a.tsv", seconds=10, seed=3, maps=[BUSY], size=SMALL)
    moments = [moment for _, moment in itertools.islice(film([BUSY], 3, SMALL), 10 * FPS)]
    damaged = np.flatnonzero([moment.damage > 0 for moment in moments])

    command = [ffmpeg.path(), *ffmpeg.QUIET, "-i", str(video), "-s", "16x12"]
    command += ["-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    colour = np.frombuffer(raw, np.uint8).reshape(10 * FPS, 12, 16, 3)[:, :9].astype(float).mean(axis=(1, 2))
    redness = colour[:, 0] - colour[:, 1:].mean(axis=1)
    reddened = np.flatnonzero(np.diff(redness) > 15) + 1
    # Shots from outside the picture redden it too, and are no events.
    together, late, early = (np.isin(reddened + shift, damaged).sum() for shift in (0, -1, 1))
    assert together >= 5
    assert together > 3 * max(late, early)

    events = [Event(number / FPS, m.damage, m.decisive) for number, m in enumerate(moments) if m.damage or m.decisive]
    spans = tables.read_table((tmp_path / "a.tsv").read_bytes(), "a.tsv")["a"]
    expected = highlights(events, [Span(0, 10)])
    assert np.allclose([(s.start, s.stop) for s in spans], [(s.start, s.stop) for s in expected], atol=0.001)


@pytest.mark.slow
def test_a_finished_stream_is_left_alone_and_other_settings_render_it_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call = ["--out", str(out), "--name", "demo-a", "--size", "320x240"]
    assert main([*call, "--seconds", "2"]) == 0
    assert sorted(file.name for file in out.iterdir()) == ["demo-a.json", "demo-a.mp4", "demo-a.tsv"]
    before = (out / "demo-a.mp4").stat().st_mtime_ns
    assert main([*call, "--seconds", "2"]) == 0
    assert "all done" in capsys.readouterr().out
    assert (out / "demo-a.mp4").stat().st_mtime_ns == before
    assert main([*call, "--seconds", "3"]) == 0
    assert len(_picture_times(out / "demo-a.mp4")) == 3 * FPS


@pytest.mark.slow
def test_a_killed_rendering_leaves_nothing_finished_no_process_and_a_clean_folder(tmp_path: Path) -> None:
    out, here = tmp_path / "out", tmp_path / "here"
    here.mkdir()
    command = [sys.executable, "-m", "tests.samples", "--out", str(out), "--name", "demo-a", "--size", "320x240"]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(command, cwd=here, env={**os.environ, "PYTHONPATH": root}) as process:
        partial = out / ".demo-a.partial.mp4"
        _wait(lambda: partial.exists() and partial.stat().st_size > 0, 60)
        children = [int(pid) for task in _tasks(process.pid) for pid in (task / "children").read_text().split()]
        process.send_signal(signal.SIGKILL)
    assert len(children) == 2, "the game and ffmpeg"
    _wait(lambda: not any(_alive(pid) for pid in children), 20)
    assert [file.name for file in out.iterdir() if not file.name.startswith(".")] == []
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--size", "640"], "'640' is no size"),
        (["--size", "641x360"], "none of ViZDoom's"),
        (["--seconds", "0"], "give 1 or more"),
    ],
)
def test_a_wrong_call_is_one_line(
    flags: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "out"), *flags]) == UsageError.exit_code
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_without_vizdoom_it_says_how_to_install_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vizdoom", None)
    assert main(["--out", str(tmp_path), "--seconds", "1"]) == 1
    assert "pip install vizdoom" in capsys.readouterr().err


def _picture_times(video: Path) -> list[float]:
    """When each picture is shown, in seconds."""
    command = [ffmpeg.path(), *ffmpeg.QUIET, "-i", str(video), "-map", "0:v", "-fps_mode", "passthrough"]
    command += ["-f", "framecrc", "-"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    base = next(Fraction(line.split()[-1]) for line in lines if line.startswith("#tb 0:"))
    return [float(int(line.split(",")[2]) * base) for line in lines if not line.startswith("#")]


def _tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def _alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def _wait(is_so: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.1)
