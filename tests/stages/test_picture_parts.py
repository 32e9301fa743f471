"""What in a picture drove its score, by models whose answer lies in two corners of the picture.

A red field where the minimap lies is a highlight, unless there is a green one where the camera lies.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from lolhl import cli, grid, layout, manifest
from lolhl.errors import UsageError
from lolhl.explain.moments import Moment, parse_moments
from lolhl.explain.regions import REST, shipped
from lolhl.labels.spans import Span
from lolhl.labels.store import save_labels
from lolhl.models.bundle import load_bundle
from lolhl.models.gru import GruSettings
from lolhl.models.tcn import TcnSettings
from lolhl.models.video import VideoSettings
from lolhl.results import Analysis, Scoring
from lolhl.stages.analyse import AnalyseConfig, analyse
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.picture_parts import explain_moments
from lolhl.stages.scores import load_scored
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from tests.stages.test_analyse import Tree

SLOT = 12  # seconds, in whose middle a field is shown for 5
SLOTS = 30

MODELS = {
    "image": TrainConfig(dataset="d", kind="image", epochs=30, batch=32, learning_rate=1e-3),
    "video": TrainConfig(
        dataset="d", kind="video", model=VideoSettings(clip_frames=3, clip_stride=2, hidden=32), epochs=30, batch=32,
        learning_rate=1e-3,
    ),
    "tcn": TrainConfig(
        dataset="d", kind="tcn", model=TcnSettings(signals="pictures,sound", hidden=16, reach=6), epochs=30,
        learning_rate=3e-3,
    ),
    "gru": TrainConfig(dataset="d", kind="gru", model=GruSettings(signals="pictures", hidden=16), epochs=30,
                       learning_rate=3e-3),
}  # fmt: skip


def slots(seed: int) -> list[str]:
    """What each slot of a stream shows: "red", "both", "green" or "none"."""
    kinds = ["red", "both", "red", "both", "green", "none"] * (SLOTS // 6)
    return [kinds[n] for n in np.random.default_rng(seed).permutation(len(kinds))]


def shown(kinds: list[str], *wanted: str) -> list[Span]:
    return [Span(SLOT * n + 4.0, SLOT * n + 9.0) for n, kind in enumerate(kinds) if kind in wanted]


def add_corners(root: Root, folder: Path, name: str, seed: int) -> list[str]:
    """Downloads a stream of two corners, with labels. Returns its slots."""
    kinds = slots(seed)
    red, green = (
        "+".join(f"between(t,{span.start},{span.stop - 0.001})" for span in shown(kinds, kind, "both"))
        for kind in ("red", "green")
    )
    seconds = SLOT * SLOTS
    calm = f"gradients=s=160x96:r=6:d={seconds}:seed=1:speed=0.00001:c0=0x1c4a2c:c1=0x2c3a70"  # all else stays
    fields = f"drawbox=x=iw*0.86:y=ih*0.74:w=iw:h=ih:color=red:t=fill:enable='{red}'"
    fields += f",drawbox=x=0:y=ih*0.75:w=iw*0.2:h=ih:color=lime:t=fill:enable='{green}'"
    path = folder / f"{name}.mp4"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", calm, "-f", "lavfi"]
    command += ["-i", f"sine=frequency=300:duration={seconds}", "-vf", fields, "-c:a", "aac", "-c:v", "libx264"]
    command += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "12", "-bitexact", str(path)]
    subprocess.run(command, check=True)
    download(root, str(path))
    save_labels(root, name, shown(kinds, "red"))
    return kinds


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> tuple[Root, list[str]]:
    """Stream a with frames, and dataset d of it; stream b as a video alone. And the slots of b."""
    folder = tmp_path_factory.mktemp("corners")
    root = open_root(str(folder / "root"))
    add_corners(root, folder, "a", 1)
    extract(root, "a", ExtractConfig(size=96))
    dataset(root, "d", ["a"], DatasetConfig(context_seconds=10))
    return root, add_corners(root, folder, "b", 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
def test_a_model_s_answer_is_traced_to_the_corner_that_decides(corners: tuple[Root, list[str]], kind: str) -> None:
    root, kinds = corners
    train(root, kind, MODELS[kind])
    red, both = shown(kinds, "red")[0], shown(kinds, "both")[0]
    moments = [Moment("b", (span.start + span.stop) / 2) for span in (both, red)]
    explained = explain_moments(root, kind, moments, shipped(), 64)
    assert [*explained] == moments

    for_it = explained[moments[1]].figures
    strongest = sorted(for_it.regions, key=lambda name: -abs(for_it.regions[name]))
    assert strongest[0] == "minimap"
    assert for_it.regions["minimap"] > 0
    assert {*for_it.regions} == {*(region.name for region in shipped()), REST}
    assert max(for_it.superpixels, key=lambda place: for_it.superpixels[place]) == "bottom right"
    assert for_it.regions_fit is not None
    assert for_it.regions_fit > 0.5
    assert for_it.log_odds > for_it.covered

    against = explained[moments[0]].figures
    assert min(against.regions, key=lambda name: against.regions[name]) == "camera"
    assert against.regions["camera"] < 0 < against.regions["minimap"]

    # The log-odds are those that the stored scores come from.
    scoring = manifest.load(root, layout.scoring("b", layout.judged(kind)), Scoring)
    stored = load_scored(root, "b", scoring, layout.judged(kind)).probabilities
    for moment, explanation in explained.items():
        raw = np.array([1 / (1 + np.exp(-explanation.figures.log_odds))], dtype=np.float32)
        (probability,) = load_bundle(root, kind).calibration.apply(raw)
        assert probability == pytest.approx(stored[round(moment.seconds * 3)], abs=0.05)


@pytest.mark.slow
def test_a_backbone_that_learns_too_has_no_track_and_is_explained_all_the_same(corners: tuple[Root, list[str]]) -> None:
    root, _ = corners
    train(root, "whole", TrainConfig(dataset="d", kind="video", model=VideoSettings(clip_frames=3, hidden=16),
                                     backbone="resnet18", weights="none", tune="all", epochs=1, batch=32))  # fmt: skip
    moments = [Moment("a", 50.0), Moment("b", 1e6)]  # of frames, and of a video, after whose end is its last instant
    explained = explain_moments(root, "whole", moments, shipped(), 16)
    assert [picture.figures.seconds for picture in explained.values()] == [50.0, pytest.approx(SLOT * SLOTS - 1 / 3)]
    scoring = manifest.load(root, layout.scoring("a", layout.judged("whole")), Scoring)
    stored = load_scored(root, "a", scoring, layout.judged("whole")).probabilities
    raw = np.array([1 / (1 + np.exp(-explained[moments[0]].figures.log_odds))], dtype=np.float32)
    assert load_bundle(root, "whole").calibration.apply(raw)[0] == pytest.approx(stored[150], abs=0.02)


@pytest.mark.slow
def test_the_page_says_it_in_words_and_shows_it(
    corners: tuple[Root, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, kinds = corners
    train(root, "image", MODELS["image"])
    first, second, red, *_ = shown(kinds, "red")  # the model is surest of the third
    others = [first, second, *shown(kinds, "red")[3:]]
    save_labels(root, "b", [Span(0.0, 3.0), *others])  # a miss at the beginning, and a false alarm
    file = tmp_path / "mine.toml"
    file.write_text(
        "[corner]\nname = 'red corner'\nleft = 0.86\nright = 1\ntop = 0.74\nbottom = 1\n"
        "[other]\nleft = 0\nright = 0.2\ntop = 0.75\nbottom = 1\n"
    )
    at = grid.format_time(first.start + 2)
    words = ["analyse", "image", "--root", root.url, "--regions", str(file), "--tries", "16", "--moments", f"b@{at}"]
    assert cli.main(words) == 0
    output = capsys.readouterr().out
    assert f"b at {at}: The red corner " in output
    result = manifest.load(root, layout.analysis("image"), Analysis).result
    assert result.misses[0].start == 0.0
    alarm = next(mistake for mistake in result.false_alarms if mistake.start < red.stop and mistake.stop > red.start)
    assert alarm in result.false_alarms[:2]
    assert [picture.vod for picture in result.pictures] == ["b"] * len(result.pictures)
    page = root.read(layout.analysis_page("image")).decode()
    texts = [str(image["alt"]) for image in Tree(page).all("img") if image.get("class") == "parts"]
    assert len(texts) == 2 * len(result.pictures)
    assert f"b at {at}, its regions in colours. The red corner " in texts[-2]
    assert "bottom right" in texts[-1]
    assert "Moments that were asked for" in page
    assert "How to read the pictures in colours" in page

    again = root.read(layout.analysis("image"))
    assert cli.main(words) == 0
    assert root.read(layout.analysis("image")) == again
    file.write_text(file.read_text().replace("red corner", "map"))
    assert cli.main(words) == 0
    assert "The map " in root.read(layout.analysis_page("image")).decode()
    analyse(root, "image", AnalyseConfig(explain=0))
    assert 'class="parts"' not in root.read(layout.analysis_page("image")).decode()


def test_moments_are_read_with_what_is_wrong_about_them() -> None:
    assert parse_moments("b@0:01:05.5, c@12") == [Moment("b", 65.5), Moment("c", 12.0)]
    with pytest.raises(UsageError, match=r"--moments 'b': write VOD@h:mm:ss, and commas between several"):
        parse_moments("b")
    with pytest.raises(UsageError, match="'soon' is not a time"):
        parse_moments("b@soon")


def test_a_file_of_regions_that_is_wrong_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[minimap]\nleft = 86\nright = 100\ntop = 74\nbottom = 100\n")
    for name, message in (
        (str(file), "[minimap]: left = 86: it must be a number from 0 to 1"),
        ("none.toml", "No such"),
    ):
        assert cli.main(["analyse", "m", "--root", str(tmp_path), "--regions", name]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert name in error
        assert error.count("\n") == 1
