"""The clips that viewers made of a VOD, asked of a server that speaks Twitch's protocol."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lolhl.errors import TwitchError
from lolhl.vod.twitch_clips import PAGES, period_since, viewer_clips
from lolhl.vod.viewer_clip import ViewerClip
from tests.servers import set_environ
from tests.servers.twitch import Clip, Twitch, Vod, twitch

ID = "123456789"
Serve = Callable[..., AbstractContextManager[Twitch]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    @contextmanager
    def run(*clips: Clip, others: tuple[Clip, ...] = ()) -> Iterator[Twitch]:
        vods = (Vod(tmp_path, 7200, clips=clips), Vod(tmp_path, 7200, id="987654321", clips=others))
        with twitch(tmp_path, *vods) as server, monkeypatch.context() as patch:
            set_environ(patch, server.environ)
            yield server

    return run


def test_those_of_the_vod_come_in_order_of_time(serve: Serve) -> None:
    with serve(
        Clip("late", 600, "BARON STEAL", 28.5, views=9),
        Clip("early", 12.25, "First blood", views=1234),
        Clip("at-the-start", 0, None),
        Clip("unknown", None, "No moment"),
        Clip("gone", 50, "No VOD", of_vod=False),
        Clip("empty", 70, "No length", seconds=0),
        others=(Clip("other", 30, "Of another VOD", views=99),),
    ) as server:
        clips = viewer_clips(ID, "lck", "ALL_TIME")
    assert clips == [
        ViewerClip("at-the-start", 0, 30, "", 1),
        ViewerClip("early", 12.25, 42.25, "First blood", 1234),
        ViewerClip("late", 600, 628.5, "BARON STEAL", 9),
    ]
    assert server.requests == ["gql.twitch.tv/clips/ALL_TIME"]


def test_none_at_all(serve: Serve) -> None:
    with serve():
        assert viewer_clips(ID, "lck", "LAST_DAY") == []


def test_all_pages_are_read_and_no_more_than_ten(serve: Serve) -> None:
    many = [Clip(f"clip{number}", number, views=10_000 - number) for number in range(1101)]
    with serve(*many[:250]) as server:
        assert [clip.slug for clip in viewer_clips(ID, "lck", "LAST_WEEK")] == [clip.slug for clip in many[:250]]
        assert server.requests == ["gql.twitch.tv/clips/LAST_WEEK"] * 3
    with serve(*many) as server:
        assert [clip.slug for clip in viewer_clips(ID, "lck", "LAST_WEEK")] == [clip.slug for clip in many[:1000]]
        assert len(server.requests) == PAGES


def test_titles_are_one_line_of_printable_characters(serve: Serve) -> None:
    with serve(Clip("a", 1, "  two\nlines \x1b[2J\u202e \ud83d <b>  "), Clip("b", 2, "x" * 5000), Clip("../c?d", 3)):
        titles = {clip.slug: clip.title for clip in viewer_clips(ID, "lck", "ALL_TIME")}
    assert titles == {"a": r"two lines \x1b[2J\u202e \ud83d <b>", "b": "x" * 200}


def test_a_twitch_that_is_not_well(serve: Serve) -> None:
    with serve(Clip("a", 1)) as server:
        with pytest.raises(TwitchError, match="Twitch knows no channel nobody"):
            viewer_clips(ID, "nobody", "ALL_TIME")
        server.faults.body["clips/"] = b'{"errors": [{"message": "service timeout"}], "data": {"user": null}}'
        with pytest.raises(TwitchError, match=r"Twitch refuses to list them \(service timeout\)"):
            viewer_clips(ID, "lck", "ALL_TIME")
        for odd in (b"<html>", b"[]", b'{"data": {"user": {"clips": {"edges": 3}}}}', b"[" * 100_000):
            server.faults.body["clips/"] = odd
            with pytest.raises(TwitchError, match="what Twitch answers is none"):
                viewer_clips(ID, "lck", "ALL_TIME")
        server.faults.body.clear()
        server.faults.cut["gql"] = 1
        with pytest.raises(TwitchError, match="the connection to Twitch failed"):
            viewer_clips(ID, "lck", "ALL_TIME")
        server.faults.status["clips/"] = 503
        with pytest.raises(TwitchError, match="Twitch answered 503: run again later"):
            viewer_clips(ID, "lck", "ALL_TIME")


def test_the_period_reaches_back_to_the_recording() -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    periods = [period_since(now - timedelta(hours=hours), now) for hours in (3, 23, 25, 24 * 6, 24 * 8, 24 * 31)]
    assert periods == ["LAST_DAY", "LAST_DAY", "LAST_WEEK", "LAST_WEEK", "LAST_MONTH", "ALL_TIME"]
    assert period_since(None, now) == "ALL_TIME"
