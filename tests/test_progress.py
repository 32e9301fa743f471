"""Progress: a bar on a terminal, elsewhere a line now and then."""

import io
import logging

import pytest

from lolhl import progress
from lolhl.progress import Progress, parse_line


def test_a_line_now_and_then(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress.bar("extract v", 600, "s") as advance:
        for _ in range(5):  # 50 s of video every 10 s
            now += 10
            advance(50)
    assert caplog.messages == [
        "extract v: 100/600 s, 5.0x real time, 100 s left",
        "extract v: 200/600 s, 5.0x real time, 80 s left",
    ]


def test_how_much_there_is_may_be_unknown(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress.bar("download v", 0, "MB") as advance:
        now = 25
        advance(50)
    assert caplog.messages == ["download v: 50 MB, 2.0 MB/s"]


def test_lines_come_as_often_as_the_environment_says(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    for seconds, count in (("1", 5), ("", 1), ("soon", 1)):
        monkeypatch.setenv("LOLHL_PROGRESS_SECONDS", seconds)
        caplog.clear()
        with progress.bar("download v", 0, "MB") as advance:
            for _ in range(5):
                now += 5
                advance(10)
        assert len(caplog.messages) == count, seconds


@pytest.mark.parametrize(
    "step",
    [
        Progress("extract v", 100, 600, "s", "5.0x real time", 100),
        Progress("download A: B, c 3/4 s, d", 50, 0, "MB", "2.0 MB/s"),
        Progress("copy x.mp4", 5, 7, "MB", "2.0 MB/s", None),
    ],
)
def test_who_starts_a_program_reads_its_lines(step: Progress) -> None:
    assert parse_line(step.line()) == step


@pytest.mark.parametrize("line", ["", "download: done already (vods/v/vod.json)", "v: 100/600 s", "lolhl run: 3 MB"])
def test_other_lines_are_no_progress(line: str) -> None:
    assert parse_line(line) is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("total", "unit", "first", "last"),
    [
        (600, "s", "v:   0% |          | 0/600 s [? left, 0.0x real time]", "| 150/600 s [01:30 left, 5.0x real time]"),
        (
            100,
            "MB",
            "v:   0% |          | 0/100 MB [? left, 0.0 MB/s]",
            "150/100 MB [00:00 left, 5.0 MB/s]",
        ),
        (0, "MB", "v: 0 MB [00:00, 0.0 MB/s]", "v: 150 MB [00:30, 5.0 MB/s]"),
    ],
)
def test_a_bar_on_a_terminal(
    total: float, unit: str, first: str, last: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    now = 100.0
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    with progress.bar("v", total, unit):
        pass
    assert terminal.getvalue() == ""  # INFO is not let through
    caplog.set_level(logging.INFO)
    with progress.bar("v", total, unit) as advance:
        now += 30
        advance(150)
    frames = terminal.getvalue().split("\r")
    assert frames[1] == first
    assert frames[-1].rstrip().endswith(last)
    assert caplog.messages == []


@pytest.mark.filterwarnings("error")
def test_a_sum_of_floats_that_ends_beyond_the_total_is_the_total(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    with progress.bar("v", 0.3, "MB") as advance:
        for _ in range(3):
            advance(0.1)  # 0.30000000000000004 in all
    assert "100% |" in terminal.getvalue().split("\r")[-1]
