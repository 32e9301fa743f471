"""clock: the game's clock on the pictures, read where it is found."""

import csv
import importlib.metadata
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from lolhl import layout
from lolhl.errors import ToolMissing, UsageError
from lolhl.matches.clock import Reading
from lolhl.signals import clock_text, make_track, open_signal
from lolhl.signals.clock import USUAL, ClockSettings, ClockSignal, find_box, readings_of, rows_of
from lolhl.signals.clock_text import clock_of, read_clock
from lolhl.signals.source import video_source
from lolhl.stages.clock import ClockConfig
from lolhl.stages.download import download
from lolhl.storage import Root, open_root
from lolhl.tracks.rows import PART
from lolhl.vod.decode import look_at_keys
from lolhl.vod.key_frames import StoredKeyFrames
from lolhl.vod.rectangle import Rectangle
from lolhl.vod.view import View
from tests.clocks import CORNER, FONTS, Look, Played, clock_video, drawn

pytest.importorskip("onnxruntime", reason="reading clocks needs lolhl[clock]")

REAL = Path(__file__).parents[3] / "shared" / "data" / "clock"
GAMES = [Played(21.3, 250), Played(330.6, 400, ((120, 70),))]
SECONDS = 850.0


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clock_video(tmp_path_factory.mktemp("clock") / "v.mp4", GAMES, seconds=SECONDS, fps=3, size=(640, 360))


@pytest.fixture
def root(video: Path, tmp_path: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    download(root, str(video))
    return root


def true_clock(time: float) -> int | None:
    return next((clock for game in GAMES if (clock := game.shows(time)) is not None), None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("12:34", 754), ("1234", 754), ("123", 83), ("0:07", 7), ("00:00", 0), ("61:05", 3665), ("12:60", None)],
        *[("12134", 754), ("2138", 1298), ("02138", 158), ("12234", None), ("12:134", None), ("121345", None)],
        *[("", None), ("12", None), ("1:2", None), ("112:34", None), (":34", None), ("12::34", None)],
    ],
)
def test_the_clock_of_a_text(text: str, seconds: int | None) -> None:
    assert clock_of(text) == seconds


@pytest.mark.parametrize("clock", [0, 7, 59, 60, 754, 1199, 2047, 3665])
@pytest.mark.parametrize("font", ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf"])
def test_a_drawn_clock_is_read(clock: int, font: str) -> None:
    picture = np.frombuffer(drawn(clock, 80, 30, Look(font=font)), dtype=np.uint8).reshape(30, 80, 4)
    assert read_clock(picture[..., :3].mean(axis=2).astype(np.uint8)) == clock


@pytest.mark.parametrize("clock", [227, 387, 587])
def test_a_colon_that_is_a_stroke_is_no_digit(clock: int) -> None:
    look = Look(colour=(255, 255, 255), ground=(40, 40, 60, 255), leading_zero=False)
    picture = np.frombuffer(drawn(clock, 32, 13, look), dtype=np.uint8).reshape(13, 32, 4)
    assert read_clock(picture[..., :3].mean(axis=2).astype(np.uint8)) == clock


@pytest.mark.parametrize("text", ["21 38", "11 27", "31 59"])
def test_a_clock_that_lost_its_colon_is_read(text: str) -> None:
    picture = Image.new("L", (48, 20), 30)
    font = ImageFont.truetype(str(FONTS / "DejaVuSans-Bold.ttf"), 13)
    ImageDraw.Draw(picture).text((24, 10), text, font=font, fill=230, anchor="mm")
    assert read_clock(np.asarray(picture)) == clock_of(text.replace(" ", ":"))


def test_what_is_no_clock_is_not_read() -> None:
    rng = np.random.default_rng(0)
    assert read_clock(np.full((30, 80), 40, dtype=np.uint8)) is None
    assert read_clock(np.full((2, 8), 40, dtype=np.uint8)) is None
    assert read_clock(np.full((30, 400), 40, dtype=np.uint8)) is None
    assert [read_clock(rng.integers(0, 255, (30, 80), dtype=np.uint8)) for _ in range(5)] == [None] * 5


@pytest.mark.skipif(not REAL.exists(), reason="the real pictures are not here")
@pytest.mark.parametrize("height", [1080, 720, 480])
def test_the_clocks_of_a_real_game_are_read_where_they_usually_are(height: int) -> None:
    wrong = []
    for row in csv.DictReader((REAL / "clock.tsv").read_text().splitlines(), delimiter="\t"):
        corner = Image.open(REAL / row["file"]).convert("L")
        picture = Image.new("L", (1920, 1080))
        picture.paste(corner, (1540, 0))
        grey = np.asarray(picture.resize((height * 16 // 9, height), Image.Resampling.BICUBIC))
        if read_clock(USUAL[0].cut(grey)) != clock_of(row["clock"]):
            wrong.append(row["file"])
    assert wrong == []


def test_a_box_is_a_piece_of_a_picture() -> None:
    picture = np.arange(200, dtype=np.uint8).reshape(10, 20)
    assert Rectangle(0.5, 0.2, 0.25, 0.3).cut(picture).shape == (3, 5)
    assert Rectangle(0.999, 0.999, 0.001, 0.001).cut(picture).tolist() == [[199]]
    for text in ("", "1,2,3", "a,b,c,d", "0.9,0,0.2,0.1", "0,0,0,1", "nan,0,1,1", "0,0,inf,1", "0,0,1,1,1"):
        with pytest.raises(UsageError, match=r"^--box .*(write x,y,w,h|beyond the picture|less than 1%)"):
            ClockConfig(box=text)


def test_rows_show_the_last_picture_that_was_looked_at() -> None:
    looks = [Reading(1.0, 754), Reading(3.0, None), Reading(5.5, 60)]
    rows = rows_of(looks, np.array([0.5, 1.0, 2.5, 3.0, 6.0]))
    assert np.isnan(rows[[0, 3]]).all()
    assert rows[[1, 2, 4]].tolist() == [[12, 34, 0], [12, 34, 1.5], [1, 0, 0.5]]


def test_the_track_of_a_video_with_games(root: Root) -> None:
    signal = open_signal("clock", View(Fraction(3), 224, "squeeze"), lambda: pytest.fail("no backbone is needed"))
    track = make_track(signal, video_source(root, "v"), "grid")
    assert len(track) == SECONDS * 3
    readings = readings_of(track)
    right = [reading.clock == true_clock(reading.time) for reading in readings]
    assert np.mean(right) > 0.95
    window = track.read(3 * 100, 3 * 120)
    assert window.known.all()
    shown = window.values.astype(float) @ [60, 1, 1]
    assert np.abs(shown - (np.arange(300, 360) / 3 - GAMES[0].start)).max() < 1.1


def test_a_track_that_was_interrupted_goes_on_to_the_same_rows(root: Root) -> None:
    signal = ClockSignal(Fraction(3), ClockSettings(CORNER))
    source = video_source(root, "v")
    whole = make_track(signal, source, "grid")
    assert len(whole.parts) == -(-len(whole) // PART)
    expected = [part.output for part in whole.parts]
    root.delete(layout.track(expected[0].key.rpartition("/")[0]))
    root.delete(expected[1].key)
    assert [part.output for part in make_track(signal, source, "grid").parts] == expected


def test_a_part_that_was_lost_is_measured_again_to_the_same_rows(root: Root) -> None:
    # Key frames come every 2 s, so a look every 5.3 s shows one that lies before it, also where a part ends.
    signal = ClockSignal(Fraction(3), ClockSettings(CORNER, 5.3))
    source = video_source(root, "v")
    expected = [part.output for part in make_track(signal, source, "grid").parts]
    root.delete(expected[0].key)
    assert [part.output for part in make_track(signal, source, "grid").parts] == expected


def test_the_place_of_the_clock_is_found(video: Path, tmp_path: Path) -> None:
    corner = find_box(StoredKeyFrames(video), SECONDS)
    assert corner is not None
    assert abs(corner.left + corner.width / 2 - 0.9775) < 0.02
    assert corner.top + corner.height < 0.06
    moved = Look(box=Rectangle(0.55, 0.12, 0.055, 0.05), font="DejaVuSans.ttf", leading_zero=False)
    other = clock_video(tmp_path / "other.mp4", [Played(5, 290)], seconds=300, fps=2, size=(854, 480), look=moved)
    box = find_box(StoredKeyFrames(other), 300)
    assert box is not None
    assert abs(box.left + box.width / 2 - 0.5775) < 0.01
    assert abs(box.top + box.height / 2 - 0.145) < 0.01


def test_a_small_clock_is_read_on_a_piece_that_suits_its_font(tmp_path: Path) -> None:
    """On a wider piece each tenth reading takes the colon for a one."""
    box = Rectangle(0.20148, 0.1566, 0.050187, 0.037176)
    look = Look(box, "DejaVuSans-Bold.ttf", (255, 255, 255), (40, 40, 60, 255), leading_zero=False)
    game = Played(12.4, 464.6)
    path = clock_video(tmp_path / "v.mp4", [game], seconds=420, fps=2, size=(640, 360), rate="250k", look=look)
    place = find_box(StoredKeyFrames(path), 420)
    assert place is not None
    keys = look_at_keys(path, [float(time) for time in range(20, 420, 10)], lambda key_at, time: key_at(time))
    right = [key is not None and read_clock(place.cut(key[1])) == game.shows(key[0]) for key in keys]
    assert len(right) == 40
    assert np.mean(right) > 0.95


def test_a_video_without_a_clock_has_no_box(tmp_path: Path) -> None:
    video = clock_video(tmp_path / "none.mp4", [], seconds=120, fps=2, size=(320, 180))
    assert find_box(StoredKeyFrames(video), 120) is None


def test_without_the_networks_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_text, "_PACKAGE", "rapidocr-that-nobody-has")
    clock_text._session.cache_clear()
    clock_text._recogniser.cache_clear()
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.files("rapidocr-that-nobody-has")
    with pytest.raises(ToolMissing, match=r"pip install 'lolhl\[clock\]'"):
        read_clock(np.full((30, 80), 40, dtype=np.uint8))
