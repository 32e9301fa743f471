"""The table of stages: the verbs and the images' checks follow from it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lolhl import cli
from lolhl.stages import table
from lolhl.stages.table import IMAGES, STAGES, Stage, Word

OVEN = Stage(
    "bake VODs",
    image="extract",
    words=(Word("vod", "names of VODs", many=True),),
    settings=("OvenConfig",),
    shareable=True,
    module="tests.stages.oven",
)


def test_a_row_makes_a_verb_and_a_check_of_its_image(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(STAGES, "oven", OVEN)
    assert ["oven" in table.offered(image) for image in IMAGES] == [False, True, True, True]
    with pytest.raises(SystemExit):
        cli.main(["oven", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "Bake VODs." in shown
    assert "--minutes MINUTES time in the oven (1 to 100; default: 40)" in shown
    assert "--heat {top,both}" in shown

    assert "--dough DOUGH what is baked" in shown

    call = ["oven", "a", "b", "--dough", "rye", "--root", str(tmp_path), "--quiet"]
    assert cli.main([*call, "--minutes", "50"]) == 0
    assert capsys.readouterr().out == "oven: vod a, dough rye, minutes 50\noven: vod b, dough rye, minutes 50\n"
    assert cli.main([*call, "--part", "0/2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vod"] == "a"
    for words, message in (
        (["--minutes", "0"], "lolhl oven: --minutes 0: must be 1 to 100\n"),
        (["--heat", "none"], "lolhl oven: --heat 'none': must be top or both\n"),
    ):
        assert cli.main([*call, *words]) == 2
        assert capsys.readouterr().err == message
    with pytest.raises(SystemExit):
        cli.main(["oven", "a"])
    assert "the following arguments are required: --dough" in capsys.readouterr().err


@pytest.mark.parametrize("name", STAGES)
def test_every_row_names_what_its_module_has(name: str) -> None:
    stage, imported = STAGES[name], table.load(name)
    assert imported.function.__name__ == name
    assert [config.__name__ for config in imported.configs] == [*stage.settings]
    assert stage.image in IMAGES
    assert not stage.shareable or stage.words[-1].many


def test_each_image_offers_what_the_one_before_does() -> None:
    assert table.offered("dataset") == ["labels", "riot", "dataset"]
    assert table.offered("extract") == ["download", "extract", "labels", "riot", "dataset", "export", "reel"]
    assert table.offered("train") == [*STAGES]
    done = subprocess.run(
        [sys.executable, "-m", "lolhl.stages.table", "infer"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == table.offered("infer")
    assert not {"train", "analyse", "retrain", "rollback"} & {*done.stdout.split()}


def test_help_of_all_imports_no_stage() -> None:
    code = "import sys; from lolhl import cli, memory; cli.main(sys.argv[1:])"
    shown = "import atexit; atexit.register(lambda: print(*sorted({n.split('.')[0] for n in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {shown}; {code}", "--help"], capture_output=True, text=True, check=True
    )
    imported = {*done.stdout.splitlines()[-1].split()}
    assert "lolhl" in imported
    assert not imported & {"torch", "numpy", "polars", "boto3", "av", "mlflow"}
