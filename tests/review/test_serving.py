"""`lolhl review` as a process: killed, interrupted, and asked as soon as its address is known."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, expect

from lolhl import layout
from lolhl.review.corrections import Corrections, load_corrections
from lolhl.review.gate import Session
from lolhl.storage import Root
from tests.review.pages import borders, choose, expect_saved, verdicts
from tests.review.served import Served
from tests.videos import numbered_video


@contextmanager
def ending(server: "subprocess.Popen[str]") -> Iterator[None]:
    """Kills the process at the end, also where the test fails, which would wait for it else."""
    try:
        yield
    finally:
        server.kill()


@pytest.mark.slow
def test_a_page_that_is_killed_loses_nothing_that_was_saved(browser: Browser, served: Served, root: Root) -> None:
    """Ten times: a change, its save, the page's process crashes, and the next page goes on with it."""
    for count in range(1, 11):
        with browser.new_context() as context:
            context.add_cookies([{"name": served.session.cookie, "value": served.session.secret, "url": served.url}])
            tab = context.new_page()
            tab.goto(f"{served.url}/highlights/stream/report.html")
            tab.get_by_role("button", name="Correct by hand").click()
            if count > 1:
                expect(tab.locator("#changes")).to_contain_text("1 moved")
            choose(tab, "h1")
            tab.keyboard.press("w")
            expect_saved(tab)
            with tab.expect_event("crash"), suppress(Error):
                tab.goto("chrome://crash", timeout=5_000)
        assert load_corrections(root, "stream")[0].revision == count
    start, stop = borders(root)["h1"]
    assert verdicts(root) == [(max(0, start - 10), min(60, stop + 10), "accepted")]


@pytest.mark.slow
def test_a_server_that_is_killed_loses_nothing_that_was_saved(browser: Browser, root: Root) -> None:
    """Ten times: a change, its save, SIGKILL at once, and the next server goes on with it."""
    port = "0"
    for count in range(1, 11):
        call = [sys.executable, "-m", "lolhl", "review", "--root", root.url, "--port", port, "--no-browser"]
        with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr
            match = re.search(r"open (http://127.0.0.1:(\d+)/\S+)", server.stderr.readline())
            assert match
            port = match[2]
            with ending(server), browser.new_context() as context:
                tab = context.new_page()
                tab.goto(match[1])
                tab.goto(f"http://127.0.0.1:{port}/highlights/stream/report.html")
                tab.get_by_role("button", name="Correct by hand").click()
                choose(tab, "h1")
                tab.keyboard.press("w")
                expect_saved(tab)
                server.send_signal(signal.SIGKILL)
                server.wait(20)
                tab.keyboard.press("w")
                expect(tab.locator("#saving")).to_contain_text("Not saved yet")
        saved = load_corrections(root, "stream")[0]
        assert saved.revision == count
    start, stop = borders(root)["h1"]
    assert verdicts(root) == [(max(0, start - 10), min(60, stop + 10), "accepted")]


_KNOCK = """
import pathlib, socket, sys, urllib.parse
address = urllib.parse.urlsplit(sys.argv[1])
socket.create_connection((address.hostname, address.port), 5)
pathlib.Path(sys.argv[2]).write_text("answered")
"""


def test_the_server_answers_from_the_moment_its_address_is_known(root: Root, tmp_path: Path) -> None:
    """The browser is opened, and ends, before the server runs: its connection has to wait, not to be refused."""
    knock, answer = tmp_path / "knock.py", tmp_path / "answer"
    knock.write_text(_KNOCK)
    environment = {**os.environ, "DISPLAY": ":9", "BROWSER": f"{sys.executable} {knock} %s {answer}"}
    call = [sys.executable, "-m", "lolhl", "review", "--root", root.url]
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True, env=environment) as server, ending(server):
        deadline = time.monotonic() + 30
        while not answer.exists():
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.slow
def test_ctrl_c_ends_the_server_and_says_what_was_corrected(root: Root) -> None:
    call = [sys.executable, "-m", "lolhl", "review", "--root", root.url, "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr
        assert "http://127.0.0.1:" in server.stderr.readline()
        root.write(layout.corrections("stream"), b'{"revision":1,"spans":[]}')
        server.send_signal(signal.SIGINT)
        output, errors = server.communicate(timeout=30)
    assert server.returncode == 0, errors
    assert output == "review: ended; corrected: stream\n"
    assert load_corrections(root, "stream")[0] == Corrections(revision=1)


def _commands(root: Root) -> list[str]:
    """The commands of the processes that work on this root, but for the server."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_text().replace("\0", " ")
            if root.url in command and " review " not in command:
                commands.append(command)
    return commands


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])  # the last comes when its terminal is closed
def test_work_ends_with_the_server(name: str, root: Root, tmp_path: Path) -> None:
    film = numbered_video(tmp_path / "film.mp4", seconds=600)
    call = [sys.executable, "-m", "lolhl", "review", "--root", root.url, "--no-browser"]
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as server, ending(server):
        assert server.stderr
        match = re.search(r"open http://127.0.0.1:(\d+)(/\S+)", server.stderr.readline())
        assert match
        session = Session(int(match[1]))
        served = Served(session)
        cookie = served.ask("GET", match[2]).headers["set-cookie"].partition(";")[0]
        body = json.dumps({"verb": "run", "stream": str(film)}).encode()
        assert served.ask("POST", "/jobs", body, cookie=cookie, x_lolhl_review="1").status == 200
        assert len(_commands(root)) == 1
        server.send_signal(getattr(signal, name))
        server.wait(60)
    assert server.returncode == 0
    assert _commands(root) == []
