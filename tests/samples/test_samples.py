import itertools
import json
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
from tests.samples.__main__ import main
from tests.samples.chat import LAG, chat
from tests.samples.game import FPS, SOUND_RATE, Rules, listen, play
from tests.samples.highlights import LEAD_IN, LEAD_OUT, Event, highlights
from tests.samples.sound import mix, shouts
from tests.samples.streams import DEMO, EVALUATE, Stream
from tests.samples.variants import VARIANTS, make
from tests.samples.video import film

SMALL = (320, 240)
BUSY = "freedoom2/map23"  # a small map, where enemies are met at once
BUSY_STREAM = Stream(maps=(BUSY,))
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
    assert not set(DEMO["demo-a"].maps) & set(DEMO["demo-b"].maps)


def test_what_is_held_out_shares_no_map_with_what_is_learnt_from() -> None:
    learnt, held = (
        {place for name, stream in EVALUATE.items() if name.startswith(side) for place in stream.maps}
        for side in ("learn", "held")
    )
    assert learnt
    assert held
    assert not learnt & held


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
        tests.samples.render(video, labels, BUSY_STREAM, seconds=15, seed=3, size=SMALL)
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
    tests.samples.render(video, tmp_path / "a.tsv", BUSY_STREAM, seconds=10, seed=3, size=SMALL)
    moments = list(itertools.islice(next(film(BUSY_STREAM, 3, SMALL)).moments(), 10 * FPS))
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
def test_the_sound_lies_exactly_beside_the_picture(tmp_path: Path) -> None:
    """The game that is listened to is the one that is seen, and its sound is neither early nor late in the file."""
    stream = Stream(maps=(BUSY,), music=0, shouts=0)
    video = tmp_path / "a.mp4"
    tests.samples.render(video, tmp_path / "a.tsv", stream, seconds=10, seed=3, size=SMALL)
    moments = list(itertools.islice(next(film(stream, 3, SMALL)).moments(), 10 * FPS))
    pressed = [moment.pressed for moment in moments]
    heard = listen(BUSY, seed=3000, rules=Rules(), pressed=pressed)
    assert heard.shape == (10 * SOUND_RATE, 2)
    assert not np.array_equal(heard, listen(BUSY, seed=4000, rules=Rules(), pressed=pressed))

    stored = _loudness(_sound(video))[: 10 * 1000]
    shifts = {shift: np.corrcoef(np.roll(_loudness(heard), shift), stored)[0, 1] for shift in range(-100, 101, 5)}
    assert max(shifts, key=lambda shift: shifts[shift]) in (-5, 0, 5)  # milliseconds
    assert shifts[0] > 0.9


@pytest.mark.slow
def test_a_finished_stream_is_left_alone_and_other_settings_render_it_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    call = ["--out", str(out), "--name", "demo-a", "--size", "320x240"]
    assert main([*call, "--seconds", "2"]) == 0
    assert sorted(file.name for file in out.iterdir()) == [
        "demo-a.chat.json",
        "demo-a.json",
        "demo-a.mp4",
        "demo-a.tsv",
    ]
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
    ("flags", "message"),
    [
        (["--size", "640"], "'640' is no size"),
        (["--size", "641x360"], "none of ViZDoom's"),
        (["--seconds", "0"], "give 1 or more"),
        (["--set", "evaluate", "--name", "demo-a"], "'demo-a' is no stream of the set evaluate: choose among learn-a"),
    ],
)
def test_a_wrong_call_is_one_line(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "out"), *flags]) == UsageError.exit_code
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1


def test_without_vizdoom_it_says_how_to_install_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vizdoom", None)
    assert main(["--out", str(tmp_path), "--seconds", "1"]) == 1
    assert "pip install vizdoom" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_music_and_shouts_and_the_game_sounds_through() -> None:
    rng = np.random.default_rng(0)
    game = (rng.standard_normal((60 * SOUND_RATE, 2)) * np.linspace(0, 9000, 60 * SOUND_RATE)[:, None]).astype(np.int16)
    mixed = mix(game, seed=1)
    assert mixed.dtype == np.int16
    assert np.array_equal(mixed, mix(game, seed=1))
    assert not np.array_equal(mixed, mix(game, seed=2))
    assert np.corrcoef(mixed[:, 0], game[:, 0])[0, 1] > 0.4
    assert np.array_equal(mix(np.zeros_like(game), seed=1, music=0, shouts=0), np.zeros_like(game))


def test_shouts_come_as_often_as_is_asked_for() -> None:
    loud = _loudness(shouts(300, seed=0, a_minute=6)) > 1000
    assert 0.06 < loud.mean() < 0.22  # 6 a minute, of some 1.45 s
    assert not shouts(60, seed=0, a_minute=0).any()


def test_the_chat_is_as_download_stores_it_and_reacts_late_and_sometimes_to_nothing() -> None:
    spans = [Span(start, start + 10) for start in range(60, 3600, 120)]
    stored = json.loads(chat("a", spans, 3600, seed=1))
    times = np.array([comment["time"] for comment in stored["comments"]])
    assert stored["vod"] == "a"
    assert {tuple(comment) for comment in stored["comments"]} == {("time", "user", "text")}
    assert (np.diff(times) >= 0).all()
    assert times.min() >= 0
    assert times.max() < 3600

    def rate(since: float) -> float:
        """Messages a second, in 6 s that begin so many seconds after the fights' ends."""
        return float(np.mean([((times >= s.stop + since) & (times < s.stop + since + 6)).sum() / 6 for s in spans]))

    assert rate(LAG - 4) > 2 * rate(-12)  # late, and not while they fight
    counts = np.bincount(times.astype(int) // 10, minlength=360)
    near = {int(s.stop + LAG + more) // 10 for s in spans for more in (-10, 0, 10, 20)}
    elsewhere = [count for at, count in enumerate(counts) if at not in near]
    assert max(elsewhere) > 3 * np.median(elsewhere)
    assert chat("a", spans, 3600, seed=1) == chat("a", spans, 3600, seed=1) != chat("a", spans, 3600, seed=2)


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stream of 6 s, bright and with a tone, and its variants."""
    folder = tmp_path_factory.mktemp("variants")
    command = [ffmpeg.path(), *ffmpeg.QUIET, "-f", "lavfi", "-i", "color=white:s=640x360:r=30:d=6"]
    command += ["-f", "lavfi", "-i", "sine=500:d=6", "-c:a", "aac", str(folder / "s.mp4")]
    subprocess.run(command, check=True)
    (folder / "s.tsv").write_bytes(tables.write_table("s", [Span(1, 3)]))
    (folder / "s.chat.json").write_bytes(chat("s", [Span(1, 3)], 6, seed=1, a_minute=60))
    assert [make(folder, "s", variant) for variant in VARIANTS] == [f"s-{variant}" for variant in VARIANTS]
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_keeps_length_labels_and_chat(varied: Path, variant: str) -> None:
    assert len(_picture_times(varied / f"s-{variant}.mp4")) == 6 * 30
    assert tables.read_table((varied / f"s-{variant}.tsv").read_bytes(), "t.tsv") == {f"s-{variant}": [Span(1, 3)]}
    own, other = (json.loads((varied / f"{name}.chat.json").read_text()) for name in ("s", f"s-{variant}"))
    assert other == {"vod": f"s-{variant}", "comments": own["comments"]}
    before = (varied / f"s-{variant}.mp4").stat().st_mtime_ns
    make(varied, "s", variant)
    assert (varied / f"s-{variant}.mp4").stat().st_mtime_ns == before


def test_each_variant_changes_what_it_is_named_for(varied: Path) -> None:
    muted = _loudness(_sound(varied / "s-muted.mp4"))
    assert muted[2200:3800].max() < 10 < muted[500:1800].min()
    assert _loudness(_sound(varied / "s-shouted.mp4")).max() > 2 * _loudness(_sound(varied / "s.mp4")).max()
    assert (probe(varied / "s-160p.mp4").width, probe(varied / "s-160p.mp4").height) == (284, 160)
    picture = _picture(varied / "s-masked.mp4")
    assert picture[330:].max() < 150 > picture[:15].max()
    assert picture[60:280].min() > 200


def _sound(video: Path) -> npt.NDArray[np.int16]:
    """int16 [samples, 2], 22,050 a second."""
    command = [ffmpeg.path(), *ffmpeg.QUIET, "-i", str(video), "-f", "s16le", "-ac", "2", "-ar", str(SOUND_RATE), "-"]
    return np.frombuffer(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout, np.int16).reshape(-1, 2)


def _loudness(sound: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """Root mean square of each millisecond: float64 [milliseconds]."""
    borders = np.arange(0, len(sound) * 1000 // SOUND_RATE) * SOUND_RATE // 1000
    squares = (sound.astype(np.float64) ** 2).mean(axis=1)
    means: npt.NDArray[np.float64] = np.add.reduceat(squares, borders) / np.diff(borders, append=len(sound))
    return np.sqrt(means)


def _picture(video: Path) -> npt.NDArray[np.uint8]:
    """The first picture in grey: uint8 [height, width]."""
    command = [ffmpeg.path(), *ffmpeg.QUIET, "-i", str(video), "-frames:v", "1", "-pix_fmt", "gray"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-"], stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, probe(video).width)


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
