"""What each verb says to calls that are wrong: one line."""

import re
import shlex
from pathlib import Path

import pytest

from lolhl.stages.table import STAGES
from lolhl.storage import Root
from tests.cli.calls import CALLS, Bad
from tests.cli.process import NO_WAY_OUT, contents, lolhl, outcome
from tests.servers.web import web


@pytest.mark.parametrize("bad", CALLS, ids=lambda bad: " ".join(bad.words.split())[:60])
def test_a_bad_call_is_one_line(bad: Bad, root: Root, films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if bad.damage:
        bad.damage(root)
    before = contents(root)
    words = [word.format(films=films, root=root.url) for word in shlex.split(bad.words)]
    place = [] if "--root" in words or not words or words[0] not in STAGES else ["--root", root.url]
    at = words.index("--") if "--" in words else len(words)
    code, out, error = outcome(capsys, [*words[:at], *place, *words[at:]])
    assert (code, out) == (bad.code, ""), error
    error = re.sub("(?m)^Downloading: .*\n", "", error)
    assert error.count("\n") == 1, error
    assert re.match(r"lolhl( \w+)?: ", error), error
    assert bad.names in error
    assert bad.advice in error
    assert "Traceback" not in error
    assert "secret" not in error
    assert contents(root) == before
    assert not [*Path(root.url).glob(".unfinished-downloads/*")]


def test_the_calls_are_of_all_verbs() -> None:
    by_verb = {verb: [bad for bad in CALLS if bad.words.split()[:1] == [verb]] for verb in STAGES}
    assert min(len(bad) for bad in by_verb.values()) >= 7


def in_bucket(monkeypatch: pytest.MonkeyPatch, endpoint: str, keys: bool) -> None:
    if endpoint:
        monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", endpoint)
    if keys:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize(
    ("endpoint", "keys", "names", "advice"),
    [
        ("", True, "bucket bkt", "set LOLHL_S3_ENDPOINT_URL"),
        ("nowhere", True, "LOLHL_S3_ENDPOINT_URL", "give https://host"),
        ("http://me:secret@127.0.0.1:9", True, "LOLHL_S3_ENDPOINT_URL", "without keys"),
        (NO_WAY_OUT, False, "s3://bkt/data", "set AWS_ACCESS_KEY_ID"),
        (NO_WAY_OUT, True, NO_WAY_OUT, "check LOLHL_S3_ENDPOINT_URL"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_one_line(
    endpoint: str,
    keys: bool,
    names: str,
    advice: str,
    films: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_bucket(monkeypatch, endpoint, keys)
    for words in (["extract", "a"], ["labels", str(films / "good.tsv")], ["download", str(films / "film.mp4")]):
        code, out, error = outcome(capsys, [*words, "--root", "s3://bkt/data"])
        assert (code, out, error.count("\n")) == (1, "", 1), error
        assert names in error
        assert advice in error
        assert "secret" not in error


@pytest.mark.parametrize(
    ("path", "names", "advice"),
    [
        ("none.mp4", "none.mp4: the server has no such file (it answers 404)", "check the address"),
        ("page", "page is a web page", "give the address of the file itself"),
        ("text.mp4", "text.mp4 is no video", "give an .mp4"),
        ("empty.mp4", "empty.mp4 is no video", "give an .mp4"),
    ],
)
def test_what_a_server_does_not_give_is_one_line(
    path: str, names: str, advice: str, root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(root)
    with web() as server:
        server.files = {"/page": b"<html>", "/text.mp4": b"no video" * 99, "/empty.mp4": b""}
        server.types = {"/page": "text/html"}
        code, out, error = outcome(capsys, ["download", f"{server.url}/{path}?key=secret", "--root", root.url])
    assert (code, out, error.count("\n")) == (1, "", 1), error
    assert f"{server.url}/{names}" in error
    assert advice in error
    assert "secret" not in error
    assert contents(root) == before
    assert not [*Path(root.url).glob(".unfinished-downloads/*")]


def test_twitch_that_does_not_answer_is_one_line(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = outcome(capsys, ["download", "https://www.twitch.tv/videos/123456789", "--root", root.url])
    assert (code, out, error.count("\n")) == (1, "", 1), error
    assert "123456789" in error
    assert not root.stat("vods/123456789/vod.json")


def test_a_process_says_the_same(root: Root, films: Path) -> None:
    for words, code, fragment in (
        (["extract", "zzz", "--root", root.url], 1, "run `lolhl download"),
        (["dataset", "n", "../a", "--root", root.url], 2, "is no name for a VOD"),
        (["download", str(films / "broken.mp4"), "--root", root.url], 1, "give an .mp4"),
        (["report"], 2, "VOD (see lolhl report --help)"),
        ([], 2, "VERB"),
    ):
        done = lolhl(*words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done.stderr
        assert fragment in done.stderr
