"""Vertical videos: what is shown where, and from which picture to which. Each picture carries its own number."""

import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lolhl.errors import ToolMissing, UsageError, VideoError
from lolhl.labels.spans import Span
from lolhl.vod import cut, vertical
from lolhl.vod.probe import probe
from lolhl.vod.rectangle import Rectangle, parse_rectangle
from lolhl.vod.vertical import Box, arrange, short, title, usual_font
from tests.videos import numbered_video, read_number

Pictures = npt.NDArray[np.uint8]

NTSC = Fraction(60000, 1001)
SIZE = (270, 480)
RED, BLUE = (210, 30, 40), (30, 40, 210)
CAMERA = Rectangle(0.8, 0.0, 0.2, 0.25)
HOSTILE = (
    'it\'s 5:3, 100% \\ [a];b,c=d %{pts} "x" `id` $(id) {title}',
    "two\nlines\tand\r\nmore\0 \x1b[31m\x07",
    "😀 é 日本 \u202eturned \ud800 \ufeff",
    ":'\\",
    "\\",
    "'",
    "%",
    "W" * 3000,
    "many words " * 300,
)


def film(path: Path, *, size: tuple[int, int] = (640, 360), fps: Fraction = Fraction(30), sound: bool = True) -> Path:
    """Four seconds: red where `CAMERA` lies, and a blue strip at the left border."""
    width, height = size
    camera = (width * 4 // 5, 0, width // 5, height // 4)
    painted = {camera: RED, (0, 0, width // 20, height): BLUE}
    return numbered_video(path, seconds=4, fps=fps, size=size, sound=sound, painted=painted)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film") / "film.mp4")


def pictures(video: Path) -> Pictures:
    """uint8 [n, height, width, 3]."""
    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.asarray(frames, dtype=np.uint8)


def is_like(part: Pictures, colour: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Which pixels have about this colour."""
    return np.asarray((np.abs(part.astype(int) - colour) < 45).all(axis=-1))


def number_in(band: Pictures) -> int:
    """The number of a source whose whole height this band shows, and the middle of its width."""
    height, width = band.shape[:2]
    aside = max(0, height - width) // 2 + 1
    return read_number(np.pad(band, ((0, 0), (aside, aside), (0, 0))))


def test_the_camera_fills_the_top_and_the_middle_of_the_play_the_rest(source: Path, tmp_path: Path) -> None:
    arrangement = arrange((640, 360), CAMERA, size=SIZE)
    short(source, Span(1, 2), tmp_path / "a.mp4", arrangement)
    shown = pictures(tmp_path / "a.mp4")
    rows = arrangement.bands[0].height
    assert shown.shape[1:] == (480, 270, 3)
    assert rows == 190  # 128 x 90 pixels at a width of 270
    assert is_like(shown[:, 8 : rows - 8, 8:-8], RED).all()
    play = shown[:, rows + 3 :]
    assert not is_like(play, RED).any()
    assert not is_like(play, BLUE).any()  # its border is cut off
    assert [number_in(picture[rows:]) for picture in shown] == list(range(30, 60))
    assert probe(tmp_path / "a.mp4").has_audio


def test_without_a_camera_the_whole_picture_stands_before_its_blurred_copy(source: Path, tmp_path: Path) -> None:
    arrangement = arrange((640, 360), None, size=SIZE)
    short(source, Span(1, 2), tmp_path / "a.mp4", arrangement)
    shown = pictures(tmp_path / "a.mp4")
    top = (480 - 152) // 2
    middle = shown[:, top : top + 152]
    assert is_like(middle[:, 4:-4, :8], BLUE).all()
    assert is_like(middle[:, 4:32, -46:-4], RED).all()
    assert [read_number(picture) for picture in middle] == list(range(30, 60))
    for behind in (shown[:, : top - 3], shown[:, top + 155 :]):
        assert behind.mean() > 20  # nothing is black
        assert np.abs(np.diff(behind.astype(int), axis=2)).max() < 40  # nor sharp
    assert not is_like(shown[:, : top - 3], BLUE).any()


@pytest.mark.parametrize("camera", [CAMERA, None])
@pytest.mark.parametrize(("name", "fps"), [("a.mp4", Fraction(30)), ("a.ts", NTSC), ("a.mkv", NTSC)])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1.1, 2.2), (2 / 3, 4 / 3), (3.5, 9)])
def test_it_starts_and_stops_with_the_same_pictures_as_an_exact_clip(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    name: str,
    fps: Fraction,
    start: float,
    stop: float,
    camera: Rectangle | None,
) -> None:
    video = _films(tmp_path_factory, name, fps)
    arrangement = arrange((640, 360), camera, size=SIZE)
    short(video, Span(start, stop), tmp_path / "short.mp4", arrangement)
    cut.clip(video, Span(start, stop), tmp_path / "clip.mp4", exact=True)
    rows = arrangement.bands[0].height if camera else (480 - 152) // 2
    numbers = [
        number_in(picture[rows : None if camera else rows + 152]) for picture in pictures(tmp_path / "short.mp4")
    ]
    assert numbers == [read_number(picture) for picture in pictures(tmp_path / "clip.mp4")]
    if name == "a.mp4":  # time 0 is that of its first picture
        assert numbers[0] == -(-start * fps // 1)
    assert times(tmp_path / "short.mp4") == times(tmp_path / "clip.mp4")
    assert probe(tmp_path / "short.mp4").has_audio


_MADE: dict[str, Path] = {}


def _films(factory: pytest.TempPathFactory, name: str, fps: Fraction) -> Path:
    if name not in _MADE:
        _MADE[name] = film(factory.mktemp("films") / name, fps=fps)
    return _MADE[name]


def times(video: Path) -> list[Fraction]:
    """When each picture is shown."""
    with av.open(str(video)) as container:
        return [(frame.pts or 0) * (frame.time_base or Fraction(0)) for frame in container.decode(video=0)]


@pytest.mark.parametrize("size", [(641, 361), (321, 241), (90, 160), (64, 48), (48, 480), (2, 2)])
@pytest.mark.parametrize("camera", [Rectangle(0.6, 0.6, 0.4, 0.4), Rectangle(0, 0, 1, 1), None])
def test_any_size_gives_the_size_that_is_asked_for(
    tmp_path: Path, size: tuple[int, int], camera: Rectangle | None
) -> None:
    video = tmp_path / "a.mkv"
    colour = f"color=0xD21E28:s={size[0]}x{size[1]}:r=10:d=1"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", colour, "-c:v", "ffv1", video], check=True)
    short(video, Span(0, 0.5), tmp_path / "a.mp4", arrange(size, camera, size=SIZE))
    shown = pictures(tmp_path / "a.mp4")
    assert shown.shape == (5, 480, 270, 3)
    if camera:
        assert is_like(shown, RED).mean() > 0.97
    assert not probe(tmp_path / "a.mp4").has_audio


def test_the_usual_size_is_that_of_shorts(source: Path, tmp_path: Path) -> None:
    short(source, Span(0, 0.2), tmp_path / "a.mp4", arrange((640, 360), CAMERA))
    info = probe(tmp_path / "a.mp4")
    assert (info.width, info.height, info.pixel_shape) == (1080, 1920, Fraction(1))


@pytest.mark.parametrize("degrees", [0, 90])
def test_pixels_that_are_no_squares_and_pictures_that_are_turned(tmp_path: Path, degrees: int) -> None:
    """320 x 240 pixels, each twice as wide as high, are shown in 8:3; turned they are 3:8."""
    plain, video = tmp_path / "plain.mp4", tmp_path / "a.mp4"
    drawn = ["-f", "lavfi", "-i", "color=0xD21E28:s=320x240:r=10:d=1", "-vf", "setsar=2", "-c:v", "libx264"]
    subprocess.run(["ffmpeg", "-v", "error", *drawn, "-pix_fmt", "yuv420p", plain], check=True)
    turn = ("-c", "copy", "-metadata:s:v", f"rotate={degrees}")
    subprocess.run(["ffmpeg", "-v", "error", "-i", plain, *turn, video], check=True)
    info = probe(video)
    arrangement = arrange((info.width, info.height), None, pixel_shape=info.pixel_shape, size=SIZE)
    assert arrangement.bands[0].drawn == ((270, 102) if degrees == 0 else (180, 480))
    short(video, Span(0, 0.5), tmp_path / "short.mp4", arrangement)
    drawn_part = is_like(pictures(tmp_path / "short.mp4")[2], RED)  # what is behind it is darker
    rows, columns = drawn_part.any(axis=1).sum(), drawn_part.any(axis=0).sum()
    assert (columns, rows) == pytest.approx(arrangement.bands[0].drawn, abs=4)


def white(video: Path) -> npt.NDArray[np.intp]:
    """The rows with white letters."""
    return np.flatnonzero((pictures(video)[0] > 225).all(axis=-1).any(axis=-1))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_title_breaks_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    odd = tmp_path / "it's [an] odd: folder, \\ 100%;"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    video = tmp_path / "a.mkv"
    grey = "color=gray:s=320x180:r=10:d=1"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", grey, "-c:v", "ffv1", video], check=True)
    arrangement = arrange((320, 180), CAMERA, size=SIZE)
    short(video, Span(0, 0.2), tmp_path / "plain.mp4", arrangement)
    short(video, Span(0, 0.2), tmp_path / "a.mp4", arrangement, title(text, SIZE[0], usual_font()))
    assert white(tmp_path / "plain.mp4").size == 0
    rows = white(tmp_path / "a.mp4")
    assert rows.size > 3
    assert rows.mean() == pytest.approx(arrangement.title, abs=15)
    columns = np.flatnonzero((pictures(tmp_path / "a.mp4")[0] > 225).all(axis=-1).any(axis=0))
    assert columns.min() > 0  # no letter is cut off
    assert columns.max() < 269
    assert list(odd.iterdir()) == []


def test_a_long_title_is_cut_and_an_empty_one_is_none() -> None:
    font = Path("any.ttf")
    long = title("one two three four five six " * 20, 1080, font)
    assert long
    assert len(long.lines) == 3
    assert long.lines[-1].endswith("…")
    small = title("penta kill", 1080, font)
    assert small == vertical.Title(("penta kill",), 1080 // 13, font)
    for nothing in ("", " \n", "\x00\u202e", "😀"):
        assert title(nothing, 1080, font) is None


def test_where_no_font_is_that_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="there is no font here for titles: install one") as caught:
        usual_font((str(tmp_path), str(tmp_path / "none")))
    assert "\n" not in str(caught.value)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/Some.TTF").write_bytes(b"")
    assert usual_font((str(tmp_path),)).name == "Some.TTF"


@pytest.mark.parametrize("name", ["", "none.ttf", "\0", "."])
def test_what_is_no_font_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.ttf").write_text("no font")
    for file in (name, str(tmp_path / "text.ttf")):
        with pytest.raises(UsageError, match="no file of a font"):
            vertical.check_font(file)
    vertical.check_font(str(usual_font()))


def test_what_is_no_video_leaves_nothing(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"no video\n" * 1000)
    with pytest.raises(VideoError):
        short(video, Span(0, 1), tmp_path / "short.mp4", arrange((640, 360), CAMERA, size=SIZE))
    assert list(tmp_path.iterdir()) == [video]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.75,0.7,0.25,0.3", Rectangle(0.75, 0.7, 0.25, 0.3)),
        (" 0, 0 ,.5,1", Rectangle(0, 0, 0.5, 1)),
        ("960,540,960,540", Rectangle(0.5, 0.5, 0.5, 0.5)),
        ("0,0,1920,1080", Rectangle(0, 0, 1, 1)),
    ],
)
def test_a_rectangle_is_read_as_fractions_or_pixels(text: str, wanted: Rectangle) -> None:
    assert parse_rectangle(text, 1920, 1080) == wanted


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "write x,y,w,h"),
        ("0,0,1", "write x,y,w,h"),
        ("0,0,1,1,1", "write x,y,w,h"),
        ("a,b,c,d", "write x,y,w,h"),
        ("-0.1,0,0.5,0.5", "write x,y,w,h"),
        ("0,0,nan,1", "write x,y,w,h"),
        ("0,0,1e9,1", "write x,y,w,h"),
        ("0,0,٣,1", "write x,y,w,h"),
        ("0.6,0,0.5,0.5", "beyond the picture"),
        ("0,0.9,0.5,0.2", "beyond the picture"),
        ("1000,0,921,100", "beyond the picture, which has 1920 x 1080 pixels"),
        ("0,0,0.5,0.001", "less than 1%"),
        ("0,0,0,0", "less than 1%"),
        ("5,5,1900,2", "less than 1%"),
    ],
)
def test_what_is_no_rectangle_is_refused_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        parse_rectangle(text, 1920, 1080)
    assert "\n" not in str(caught.value)


SHARE = st.floats(0, 1, allow_nan=False)


@given(st.text(st.characters(codec="utf-8")) | st.from_regex(r"[0-9.,]{0,30}"))
def test_any_text_is_a_rectangle_in_the_picture_or_refused(text: str) -> None:
    try:
        rectangle = parse_rectangle(text, 1280, 720)
    except UsageError:
        return
    assert rectangle.left >= 0
    assert rectangle.left + rectangle.width <= 1 + 1e-5
    assert rectangle.top + rectangle.height <= 1 + 1e-5


@st.composite
def rectangles(draw: st.DrawFn) -> Rectangle:
    left, right, top, bottom = (draw(SHARE) for _ in range(4))
    assume(right - left >= 0.01)
    assume(bottom - top >= 0.01)
    return Rectangle(left, top, right - left, bottom - top)


@given(
    source=st.tuples(st.integers(1, 8000), st.integers(1, 8000)),
    camera=st.none() | rectangles(),
    pixel_shape=st.fractions(Fraction(1, 1000), 1000, max_denominator=1000),
    height=st.integers(160, 1920),
    share=st.none() | st.floats(0.1, 0.6),
    play=st.sampled_from(["auto", "crop", "whole"]),
)
def test_whatever_is_shown_lies_in_the_picture_and_fills_the_output(
    source: tuple[int, int],
    camera: Rectangle | None,
    pixel_shape: Fraction,
    height: int,
    share: float | None,
    play: vertical.Play,
) -> None:
    size = (2 * (height * 9 // 16), 2 * height)
    made = arrange(source, camera, pixel_shape=pixel_shape, size=size, share=share, play=play)
    assert made.size == size
    assert 0 < made.title < size[1]
    assert len(made.bands) == (2 if camera else 1)
    assert all(
        abs(side - source_side) <= 1 for side, source_side in zip(made.source, source, strict=True) if source_side > 1
    )
    for band in made.bands:
        assert band.width == size[0]
        assert band.height >= 2
        assert band.drawn[0] <= band.width
        assert band.drawn[1] <= band.height
        assert band.behind or band.drawn == (band.width, band.height)
        for box in filter(None, (band.seen, band.behind)):
            assert within(box, made.source)
        assert keeps_shape(band.seen, band.drawn, pixel_shape)
        assert all(number % 2 == 0 for number in (band.height, *band.drawn))


def within(box: Box, source: tuple[int, int]) -> bool:
    numbers = (box.left, box.top, box.width, box.height)
    inside = box.left + box.width <= source[0] and box.top + box.height <= source[1]
    return inside and all(number % 2 == 0 and number >= 0 for number in numbers) and min(box.width, box.height) >= 2


def keeps_shape(seen: Box, drawn: tuple[int, int], pixel_shape: Fraction) -> bool:
    """Whether a circle stays one, as far as whole pairs of pixels allow."""
    if min(seen.width, seen.height, *drawn) == 2:  # no side is shorter
        return True
    stretched = float(seen.width * pixel_shape / seen.height / Fraction(*drawn))
    slack = 1.5 * sum(1 / side for side in (seen.width, seen.height, *drawn))
    return 1 - slack <= stretched <= 1 / max(1e-9, 1 - slack)


def test_a_share_that_is_asked_for_is_kept_and_the_middle_of_the_camera_seen() -> None:
    made = arrange((1920, 1080), Rectangle(0, 0, 0.5, 0.5), share=0.5)
    assert made.bands[0].height == 960
    assert made.bands[0].seen == Box(176, 0, 608, 540)
    narrow = arrange((1920, 1080), Rectangle(0, 0, 0.1, 0.5))  # 192 x 540
    assert narrow.bands[0].height == 864  # at most 45 %
    assert narrow.bands[0].seen == Box(0, 192, 192, 154)
