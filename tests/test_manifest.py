"""Manifests that were changed after they were written: the error names the command that makes them anew."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lolhl import layout, manifest
from lolhl.config import Config
from lolhl.errors import Damaged, MissingInput
from lolhl.results import Scoring, Vod
from lolhl.storage import Root, open_root
from tests.results import SCORING, VOD, store, unsealed

VOD_KEY, SCORES_KEY = "vods/v/vod.json", "highlights/v/scores.json"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = open_root(str(tmp_path))
    made = store(root, VOD_KEY, VOD)
    store(root, SCORES_KEY, SCORING, inputs={VOD_KEY: made.content_digest()})
    return root


def change(root: Root, key: str, **result: object) -> None:
    values = json.loads(root.read(key))
    values["result"] |= result
    root.write(key, json.dumps(values).encode())


def test_a_plausible_value_that_was_changed_is_seen_where_the_manifest_is_read(root: Root) -> None:
    change(root, VOD_KEY, duration=61.0)
    advice = r"vods/v/vod.json was changed since it was written: run `lolhl download … --name v --force`"
    with pytest.raises(Damaged, match=advice):
        manifest.load(root, VOD_KEY, Vod, "")
    with pytest.raises(Damaged, match=advice):
        manifest.plan(root, VOD_KEY, Vod, Config(), {})


def test_what_was_made_from_a_changed_manifest_is_not_called_old(root: Root) -> None:
    change(root, VOD_KEY, duration=61.0)
    with pytest.raises(Damaged, match=r"vods/v/vod.json was changed .*`lolhl download … --name v --force`"):
        manifest.load(root, SCORES_KEY, Scoring, "lolhl infer … v", fresh=True)
    store(root, VOD_KEY, VOD)
    assert manifest.load(root, SCORES_KEY, Scoring, "lolhl infer … v", fresh=True).result == SCORING


def test_a_manifest_without_a_digest_of_its_content_is_read(root: Root) -> None:
    before = manifest.load(root, VOD_KEY, Vod, "").content_digest()
    root.write(VOD_KEY, unsealed(root.read(VOD_KEY)))
    assert manifest.load(root, VOD_KEY, Vod, "").content_digest() == before
    assert manifest.load(root, SCORES_KEY, Scoring, "", fresh=True).result == SCORING
    change(root, VOD_KEY, duration=61.0)
    with pytest.raises(MissingInput, match=r"older than vods/v/vod.json"):
        manifest.load(root, SCORES_KEY, Scoring, "", fresh=True)


def test_another_version_is_no_other_content(root: Root) -> None:
    values = json.loads(root.read(VOD_KEY))
    root.write(VOD_KEY, json.dumps({**values, "version": "0.9"}).encode())
    assert manifest.load(root, VOD_KEY, Vod, "").version == "0.9"


def test_with_force_a_damaged_manifest_is_written_over(root: Root) -> None:
    made = root.read(VOD_KEY)
    root.write(VOD_KEY, b"{}")
    with pytest.raises(Damaged, match="--force`"):
        manifest.find(root, VOD_KEY, Vod)
    assert manifest.intact(root, VOD_KEY, Vod) is None
    store(root, VOD_KEY, VOD)
    assert root.read(VOD_KEY) == made


_TOGETHER = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from lolhl.manifest import Manifest
from tests.results import DATASET, FRAMES, MODEL, SCORING, VOD

sys.setswitchinterval(1e-6)
for result in (VOD, FRAMES, SCORING, DATASET, MODEL):
    data = Manifest(result.stage, "0" * 64, {}, {}, result, []).to_bytes()
    barrier = threading.Barrier(8)

    def read(number):
        barrier.wait()
        return Manifest.from_bytes(data, type(result), "a manifest", "a command")

    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(read, range(8)))) == 8
"""


def test_threads_that_read_the_first_manifests_at_once_all_do() -> None:
    """msgspec 0.22 ends the process by SIGSEGV where two threads are the first ones to use a type."""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", _TOGETHER], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("vods/v/vod.json", "lolhl download … --name v --force"),
        (
            "frames/v/30000_1001fps-64px-crop-q80-scan/frameset.json",
            "lolhl extract v --fps 30000/1001 --size 64 --fit crop --quality 80 --mode scan --force",
        ),
        ("datasets/d/dataset.json", "lolhl dataset d … --force"),
        ("datasets/retrain-0123abcd/dataset.json", "lolhl retrain --force"),
        ("models/m/model-0123456789abcdef.safetensors", "lolhl train m … --force"),
        ("models/retrain-0123abcd/model.json", "lolhl retrain --force"),
        ("highlights/v/scores-0123456789abcdef.parquet", "lolhl infer … v --force"),
        ("highlights/v/scores.parquet", "lolhl infer … v --force"),
        ("highlights/v/highlights.json", "lolhl report v --force"),
        ("retrain/scores/m/v/scores.json", "lolhl retrain --force"),
        ("retrain/retrain.json", "lolhl retrain --force"),
    ],
)
def test_each_key_has_a_command_that_makes_it_anew(key: str, command: str) -> None:
    assert layout.remake(key) == command
