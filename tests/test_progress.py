"""Progress: a bar on a terminal, elsewhere a line now and then."""

import io
import logging

import pytest

from lolhl import progress


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
