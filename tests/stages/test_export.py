"""The stage export, on real videos."""

import csv
import io
import subprocess
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote, urlsplit

import opentimelineio as otio
import pytest
from lxml import etree
from msgspec.structs import replace

from lolhl.errors import ExportError, MissingInput, UsageError
from lolhl.exports.formats import FORMATS
from lolhl.review.corrections import Correction, load_corrections, save_corrections
from lolhl.stages.export import ExportConfig, Exported, export, export_file
from lolhl.stages.highlights import HighlightsConfig, highlights
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import open_root
from lolhl.storage.folder import Folder
from tests.servers import set_environ
from tests.servers.seaweedfs import seaweedfs
from tests.stages.report_root import bumps, make_root

SECONDS = 60
PEAKS = [(12, 0.9, 6), (32, 0.7, 6), (50, 0.8, 6)]
NTSC = Fraction(30000, 1001)


def video(target: Path, *options: str, sound: bool = True) -> Path:
    pictures = ["-f", "lavfi", "-i", f"testsrc2=size=64x48:rate=30000/1001:duration={SECONDS}"]
    tone = ["-f", "lavfi", "-i", f"sine=duration={SECONDS}", "-ac", "2"] if sound else []
    call = ["ffmpeg", "-v", "error", *pictures, *tone, "-c:v", "libx264", "-preset", "ultrafast", "-shortest", *options]
    subprocess.run([*call, target], check=True)
    return target


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film as cameras write it: its first picture has the timecode 10:00:00;00."""
    return video(tmp_path_factory.mktemp("film") / "film.mov", "-timecode", "10:00:00;00")


@pytest.fixture
def root(tmp_path: Path, film: Path) -> Folder:
    folder = Folder(tmp_path / "späte Daten #1")
    make_root(folder, "v1", film, bumps(SECONDS, PEAKS), fps=NTSC)
    return folder


def text(root: Folder, file: Exported) -> str:
    return root.read(file.key).decode("utf-16" if file.format == "premiere-markers" else "utf-8")


def test_one_file_without_storing_it(root: Folder) -> None:
    report(root, "v1", ReportConfig(min_length=4, clips="none"))
    config = ExportConfig(format="fcpxml", handles=2)
    before = {stat.key for stat in root.list()}
    data = export_file(root, "v1", config)
    assert {stat.key for stat in root.list()} == before
    (file,) = export(root, "v1", config)
    assert root.read(file.key) == data
    with pytest.raises(UsageError, match="one format at a time: fcpxml, "):
        export_file(root, "v1", ExportConfig())


def test_all_formats_of_a_reported_vod(root: Folder, caplog: pytest.LogCaptureFixture) -> None:
    report(root, "v1", ReportConfig(min_length=4, clips="exact"))
    before = {stat.key: root.read(stat.key) for stat in root.list("highlights/v1/")}
    files = export(root, "v1", ExportConfig(handles=2))
    assert {file.format for file in files} == {*FORMATS} - {"youtube-reel"}
    assert "no youtube-reel: the reel has fewer than three chapters" in caplog.text
    assert {file.highlights for file in files} == {3}
    after = {stat.key: root.read(stat.key) for stat in root.list("highlights/v1/")}
    assert before.items() <= after.items()  # what report wrote is as it was
    assert after.keys() - before.keys() == {file.key for file in files}
    assert export(root, "v1", ExportConfig(handles=2)) == files
    assert {stat.key: root.read(stat.key) for stat in root.list("highlights/v1/")} == after


def test_embedded_timecode_and_the_path_of_the_video(root: Folder) -> None:
    made = highlights(root, "v1", HighlightsConfig(min_length=4))
    spans = sorted(highlight.span for highlight in made.result.highlights)
    first = 10 * 107892
    for name, adapter in (("otio", "otio_json"), ("fcp7", "fcp_xml")):
        (file,) = export(root, "v1", ExportConfig(format=name))
        timeline = otio.adapters.read_from_string(text(root, file), adapter)
        clips = list(timeline.video_tracks()[0].find_clips())
        for clip, span in zip(clips, spans, strict=True):
            assert clip.source_range.start_time.value == first + round(Fraction(span.start) * NTSC)
            path = Path(unquote(urlsplit(clip.media_reference.target_url).path))
            assert path.samefile(root.local("vods/v1/video.mov"))
            assert clip.media_reference.available_range.duration.value == pytest.approx(SECONDS * 30, abs=2)
        assert len(timeline.audio_tracks()) == (1 if name == "otio" else 2)
    (file,) = export(root, "v1", ExportConfig(format="fcpxml"))
    (asset,) = etree.fromstring(text(root, file).encode()).iter("asset")
    assert Fraction(asset.get("start")[:-1]) == first / NTSC
    assert (asset.get("audioChannels"), asset.get("audioRate")) == ("2", "44100")
    (file,) = export(root, "v1", ExportConfig(format="edl"))
    assert " 10:00:0" in text(root, file)


def test_the_best_and_another_folder(root: Folder) -> None:
    highlights(root, "v1", HighlightsConfig(min_length=4))
    (file,) = export(root, "v1", ExportConfig(format="fcpxml", top=1, media_folder="D:\\my vods"))
    assert file.highlights == 1
    assert 'src="file:///D:/my%20vods/video.mov"' in text(root, file)


def test_what_cannot_be_exported(root: Folder) -> None:
    with pytest.raises(MissingInput, match="run `lolhl report v1` first"):
        export(root, "v1")
    highlights(root, "v1", HighlightsConfig(min_length=4))
    with pytest.raises(UsageError, match="v1 is not from Twitch, so its stored video is its source: leave --media out"):
        export(root, "v1", ExportConfig(format="otio", media="source"))
    with pytest.raises(ExportError, match="VOD v1 has no reel"):
        export(root, "v1", ExportConfig(format="youtube-reel"))
    with pytest.raises(UsageError, match="--media-folder 'vods': give the whole path"):
        export(root, "v1", ExportConfig(format="otio", media_folder="vods"))
    with pytest.raises(UsageError, match="--format 'avi': must be all, fcpxml"):
        ExportConfig(format="avi")
    highlights(root, "v1", HighlightsConfig(threshold=0.99))
    with pytest.raises(ExportError, match="VOD v1 has no highlights: "):
        export(root, "v1")


def test_a_video_of_unknown_rate_has_times_only(tmp_path: Path, film: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = Folder(tmp_path / "root")
    make_root(root, "v1", film, bumps(SECONDS, PEAKS), fps=Fraction(0))
    highlights(root, "v1", HighlightsConfig(min_length=4))
    names = {file.format for file in export(root, "v1")}
    assert {"resolve-markers", "premiere-markers"} & names == set()
    assert {"webvtt", "csv", "llc"} < names
    assert "nobody knows the frame rate" in caplog.text


@pytest.mark.parametrize(("fps", "told"), [(Fraction("18.35"), True), (NTSC, False), (Fraction("30.01"), False)])
def test_a_video_of_irregular_times_is_told(
    tmp_path: Path, film: Path, fps: Fraction, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    root = Folder(tmp_path / "root")
    make_root(root, "v1", film, bumps(SECONDS, PEAKS), fps=fps)
    highlights(root, "v1", HighlightsConfig(min_length=4))
    export(root, "v1", ExportConfig(format="edl"))
    assert ("its pictures come at irregular times, 18.35 a second" in caplog.text) == told


def test_a_bucket_names_no_folder(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with seaweedfs(tmp_path / "weed") as weed:
        set_environ(monkeypatch, weed.environ)
        root = open_root(f"s3://{weed.bucket}/data")
        make_root(root, "v1", film, bumps(SECONDS, PEAKS), fps=NTSC)
        highlights(root, "v1", HighlightsConfig(min_length=4))
        (file,) = export(root, "v1", ExportConfig(format="fcpxml"))
        assert 'src="video.mov"' in root.read(file.key).decode()
        (file,) = export(root, "v1", ExportConfig(format="fcpxml", media_folder="/videos"))
        assert 'src="file:///videos/video.mov"' in root.read(file.key).decode()


def corrected(root: Folder, *corrections: Correction) -> None:
    earlier, _ = load_corrections(root, "v1")
    save_corrections(root, "v1", replace(earlier, spans=corrections), SECONDS)


def cut_list(root: Folder, **settings: object) -> list[tuple[float, float, str]]:
    """Start, stop and name of each highlight, as a spreadsheet reads them."""
    (file,) = export(root, "v1", ExportConfig(**{"format": "csv", **settings}))  # type: ignore[arg-type]
    rows = csv.DictReader(io.StringIO(text(root, file)))
    return [(float(row["start_seconds"]), float(row["stop_seconds"]), row["name"]) for row in rows]


def test_what_an_editor_corrected_is_exported_as_he_left_it(root: Folder) -> None:
    made = highlights(root, "v1", HighlightsConfig(min_length=4)).result.highlights
    spans = {highlight.rank: (highlight.span.start, highlight.span.stop) for highlight in made}
    uncorrected = [(*spans[rank], f"highlight {rank}") for rank in (1, 3, 2)]
    assert cut_list(root) == uncorrected
    corrected(
        root,
        Correction(*spans[1], "rejected", was=spans[1]),
        Correction(spans[2][0] - 2, spans[2][1] + 1.5, "accepted", was=spans[2]),
        Correction(20.5, 26, "accepted"),
        Correction(22, 24, "rejected"),  # a moment of a list
        Correction(40, 44, "accepted", was=(39, 45)),  # of a highlight that was cut otherwise then
    )
    assert cut_list(root) == [
        (20.5, 26, "highlight 4"),
        (*spans[3], "highlight 3"),
        (40, 44, "highlight 5"),
        (spans[2][0] - 2, spans[2][1] + 1.5, "highlight 2"),
    ]
    assert cut_list(root, corrections=False) == uncorrected
    assert [name for *_, name in cut_list(root, top=2)] == ["highlight 3", "highlight 2"]
    (file,) = export(root, "v1", ExportConfig(format="otio"))
    assert (file.highlights, file.corrected) == (4, True)
    timeline = otio.adapters.read_from_string(text(root, file), "otio_json")
    clips = list(timeline.video_tracks()[0].find_clips())
    first = 10 * 107892
    assert [clip.source_range.start_time.value - first for clip in clips] == [
        round(Fraction(start) * NTSC) for start in (20.5, spans[3][0], 40, spans[2][0] - 2)
    ]
    assert export(root, "v1", ExportConfig(format="otio", corrections=False))[0].corrected is False


def test_what_was_rejected_as_a_whole_cannot_be_exported(root: Folder) -> None:
    made = highlights(root, "v1", HighlightsConfig(min_length=4)).result.highlights
    spans = [(highlight.span.start, highlight.span.stop) for highlight in made]
    corrected(root, *(Correction(*span, "rejected", was=span) for span in spans))
    with pytest.raises(ExportError, match="VOD v1 has no highlights: all were rejected on the review page"):
        export(root, "v1")
    assert len(cut_list(root, corrections=False)) == 3


def test_where_a_model_finds_nothing_what_an_editor_added_is_exported(root: Folder) -> None:
    highlights(root, "v1", HighlightsConfig(threshold=0.99))
    corrected(root, Correction(50, 60.4, "accepted"))
    assert cut_list(root) == [(50, 60, "highlight 1")]
