"""What is held is what was asked for, wherever it lies, and nothing that a killed run left is taken for it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from numpy.lib.stride_tricks import as_strided

from lolhl.data.cache import Part, Place, hold
from lolhl.errors import StorageError

CPU = torch.device("cpu")
MAPPED = Place(CPU, limit=0)


class Source:
    """Rows that can be told apart, and what was read of them."""

    def __init__(self, seed: int) -> None:
        self.rows = np.random.default_rng(seed).integers(0, 256, (300, 4, 4, 3), dtype=np.uint8)
        self.seen: list[int] = []

    def read(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        self.seen += numbers.tolist()
        return self.rows[numbers]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOLHL_CACHE", str(tmp_path))
    return tmp_path / "rows"


def parts(*sources: Source) -> list[Part]:
    return [Part(f"{n}", np.arange(n, 300, 2), source.read) for n, source in enumerate(sources)]


def made(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*"))


@pytest.mark.parametrize("place", [Place(CPU), MAPPED, Place(CPU, alone=False)], ids=["memory", "file", "shared"])
def test_rows_come_in_the_order_of_parts_and_no_other_is_read(place: Place, folder: Path) -> None:
    a, b = Source(0), Source(1)
    held = hold("test", parts(a, b), place)
    assert held.dtype == torch.uint8
    assert np.array_equal(held.numpy(), np.concatenate([a.rows[0::2], b.rows[1::2]]))
    # The first row tells shape and type before all are read.
    assert sorted(set(a.seen)) == list(range(0, 300, 2))
    assert len(a.seen) <= 151
    assert bool(made(folder) if folder.exists() else []) == (place != Place(CPU))


def test_a_file_is_made_once_and_by_its_contents_name(folder: Path) -> None:
    a = Source(0)
    hold("test", parts(a), MAPPED)
    (path,) = made(folder)
    assert path.stat().st_size == 150 * 48
    a.seen.clear()
    assert np.array_equal(hold("test", parts(a), MAPPED).numpy(), a.rows[::2])
    assert len(a.seen) == 1
    hold("test", [Part("0", np.arange(0, 298, 2), a.read)], MAPPED)
    hold("test", [Part("other", np.arange(0, 300, 2), a.read)], MAPPED)
    assert len(made(folder)) == 3


def test_a_file_of_another_size_is_made_again(folder: Path) -> None:
    a = Source(0)
    hold("test", parts(a), MAPPED)
    os.truncate(made(folder)[0], 100)
    assert np.array_equal(hold("test", parts(a), MAPPED).numpy(), a.rows[::2])


def test_an_error_while_reading_comes_out_and_leaves_nothing_finished(folder: Path) -> None:
    a = Source(0)

    def broken(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        if 200 in numbers:
            raise StorageError("shard 3 is damaged")
        return a.read(numbers)

    for place in (Place(CPU), MAPPED):
        with pytest.raises(StorageError, match="shard 3 is damaged"):
            hold("test", [Part("0", np.arange(300), broken)], place)
    assert not made(folder)
    assert np.array_equal(hold("test", [Part("0", np.arange(300), a.read)], MAPPED).numpy(), a.rows)


def test_a_killed_run_leaves_nothing_finished_and_no_lock(folder: Path) -> None:
    script = (
        "import time, torch, numpy as np; from pathlib import Path; from lolhl.data.cache import *\n"
        "def read(n):\n"
        "    if len(n) > 1 and n[0]: Path('reading').touch(); time.sleep(60)\n"
        "    return np.zeros((len(n), 8), np.uint8)\n"
        "hold('test', [Part('0', np.arange(300), read)], Place(torch.device('cpu'), limit=0))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen([sys.executable, "-c", script], cwd=folder.parent, env=environment)
    try:
        while not (folder.parent / "reading").exists():
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert not made(folder)
    numbers = np.arange(300)
    held = hold("test", [Part("0", numbers, lambda n: np.repeat(n[:, None], 8, 1).astype(np.uint8))], MAPPED)
    assert held[:, 0].tolist() == (numbers % 256).tolist()
    assert len(list(folder.iterdir())) == 1


def test_processes_that_come_together_share_one_file(folder: Path) -> None:
    script = (
        "import sys, torch, numpy as np; from pathlib import Path; from lolhl.data.cache import *\n"
        "def read(n):\n"
        "    if len(n) > 1: open('reads', 'a').write(f'{n[0]}\\n')\n"
        "    return np.repeat(n[:, None], 8, 1).astype(np.uint8)\n"
        "held = hold('test', [Part('0', np.arange(200), read)], Place(torch.device('cpu'), alone=False))\n"
        "assert held[:, 3].tolist() == list(range(200))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    processes = [subprocess.Popen([sys.executable, "-c", script], cwd=folder.parent, env=environment) for _ in "ab"]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(map(int, (folder.parent / "reads").read_text().split())) == [0, 64, 128, 192]


def test_no_room_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = Part("0", np.arange(8), lambda n: as_strided(np.zeros(1, np.uint8), (len(n), 1 << 45), (0, 0)))
    with pytest.raises(StorageError, match=r"GB are needed .* set LOLHL_CACHE") as raised:
        hold("test", [huge], MAPPED)
    assert "\n" not in str(raised.value)
    (folder.parent / "file").write_text("")
    monkeypatch.setenv("LOLHL_CACHE", str(folder.parent / "file"))
    with pytest.raises(StorageError, match="Not a directory: set LOLHL_CACHE"):
        hold("test", parts(Source(0)), MAPPED)
