"""The reel of highlights as an editor left them."""

from pathlib import Path

import av
import numpy as np
import pytest

from lolhl import layout, manifest
from lolhl.cli import main
from lolhl.errors import ExportError
from lolhl.results import Reel
from lolhl.review.corrections import Correction, Corrections, load_corrections, save_corrections
from lolhl.stages.reel import ReelConfig, reel
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root, open_root
from lolhl.vod.probe import probe
from tests.stages.report_root import bumps, make_root
from tests.videos import numbered_video, read_number

SECONDS = 60
RATE = 30
PEAKS = [(10, 0.7, 6), (30, 0.9, 6), (50, 0.8, 6)]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numbered_video(tmp_path_factory.mktemp("source") / "video.mp4", seconds=SECONDS)


@pytest.fixture
def root(tmp_path: Path, video: Path) -> Root:
    made = open_root(str(tmp_path / "root"))
    make_root(made, "v1", video, bumps(SECONDS, PEAKS))
    report(made, "v1", ReportConfig(clips="none"))
    return made


def borders(root: Root) -> list[tuple[float, float]]:
    """Start and stop of each highlight, best first."""
    made = report(root, "v1", ReportConfig(clips="none"))
    return [(highlight.start, highlight.stop) for highlight in made.result.highlights]


def correct(root: Root, *spans: Correction) -> None:
    revision = load_corrections(root, "v1")[0].revision
    save_corrections(root, "v1", Corrections(revision=revision, spans=spans), SECONDS)


def shown(root: Root, made: manifest.Manifest[Reel]) -> list[int]:
    """The numbers of the pictures of the reel."""
    with av.open(str(root.local(made.result.reel))) as container:
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    return [read_number(np.asarray(picture, dtype=np.uint8)) for picture in pictures]


def runs(numbers: list[int]) -> list[tuple[float, float]]:
    """Start and stop of each unbroken stretch of the source that these pictures show, in seconds."""
    stretches = [[numbers[0], numbers[0]]]
    for number in numbers[1:]:
        if number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    return [(first / RATE, (last + 1) / RATE) for first, last in stretches]


def test_the_reel_shows_what_the_editor_left_to_the_picture(root: Root) -> None:
    first, second, third = borders(root)
    correct(
        root,
        Correction(*first, "rejected", was=first),
        Correction(second[0] - 1, second[1] + 0.5, "accepted", was=second),
        Correction(20, 23.5, "accepted"),
    )
    made = reel(root, "v1")
    wanted = [third, (20, 23.5), (second[0] - 1, second[1] + 0.5)]
    assert made.result.spans == sorted(wanted)
    assert made.result.corrected
    for shows, (start, stop) in zip(runs(shown(root, made)), sorted(wanted), strict=True):
        assert shows == pytest.approx((start, stop), abs=1.01 / RATE)
    assert probe(root.local(made.result.reel)).has_audio
    assert {output.key for output in made.outputs} == {"highlights/v1/corrected/reel.mp4"}


def test_without_corrections_it_shows_all_and_is_made_anew_only_when_they_change(root: Root) -> None:
    made = reel(root, "v1")
    assert made.result.spans == sorted(borders(root))
    assert not made.result.corrected
    correct(root, Correction(*borders(root)[0], "accepted", was=borders(root)[0]))  # as it is
    assert reel(root, "v1") == made
    correct(root, Correction(*borders(root)[0], "rejected", was=borders(root)[0]))
    other = reel(root, "v1")
    assert other.result.spans == sorted(borders(root)[1:])
    assert other.outputs[0].sha256 != made.outputs[0].sha256


def test_the_best_come_first_and_fit_into_the_minutes_asked_for(root: Root) -> None:
    best = borders(root)
    assert reel(root, "v1", ReelConfig(order="rank")).result.spans == best
    two = sum(stop - start for start, stop in best[:2]) / 60 + 0.02
    assert reel(root, "v1", ReelConfig(minutes=two)).result.spans == sorted(best[:2])


def test_where_nothing_is_left_one_line_says_so(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    correct(root, *(Correction(*span, "rejected", was=span) for span in borders(root)))
    with pytest.raises(ExportError, match="all were rejected on the review page"):
        reel(root, "v1")
    assert main(["reel", "v1", "--root", root.url]) == 1
    assert capsys.readouterr().err == "lolhl reel: VOD v1 has no highlights: all were rejected on the review page\n"
    assert root.stat(layout.reel("v1")) is None


def test_the_command_says_where_the_reel_lies(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reel", "v1", "--root", root.url, "--cut", "copy", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("reel v1: 3 highlights, ")
    assert out.endswith("/highlights/v1/corrected/reel.mp4\n")
