"""The clips that viewers made of a VOD, as Twitch lists them for its channel.

twitch-dl lists clips too, but asks neither of which VOD they are nor where in it they begin. So this asks Twitch's
GraphQL by itself, in twitch-dl's way: the clips of a channel and a period, the most viewed first.
"""

import json
import re
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from lolhl import text, web_api
from lolhl.errors import TwitchError
from lolhl.vod.viewer_clip import ViewerClip

_GRAPHQL = "https://gql.twitch.tv/gql"
_CLIENT = "kimne78kx3ncx6brgo4mv6wki5h1ko"  # the public name of Twitch's own web page, as twitch-dl gives it
_PAGE = 100  # clips that Twitch gives at once, at most
PAGES = 10  # requests of one run, at most
_PERIODS = (("LAST_DAY", timedelta(days=1)), ("LAST_WEEK", timedelta(days=7)), ("LAST_MONTH", timedelta(days=30)))
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)
_LONGEST_TITLE = 200  # characters; Twitch allows 100
_FIELDS = "slug title viewCount durationSeconds videoOffsetSeconds video { id }"


class _Video(msgspec.Struct, frozen=True, rename="camel"):
    id: str | None = None


class _Node(msgspec.Struct, frozen=True, rename="camel"):
    slug: str | None = None
    title: str | None = None
    view_count: Annotated[int, Meta(ge=0, le=10**12)] | None = None
    duration_seconds: Annotated[float, Meta(ge=0, le=3600)] | None = None
    video_offset_seconds: Annotated[float, Meta(ge=0, le=1e7)] | None = None
    video: _Video | None = None


class _Edge(msgspec.Struct, frozen=True, rename="camel"):
    cursor: str | None = None
    node: _Node | None = None


class _PageInfo(msgspec.Struct, frozen=True, rename="camel"):
    has_next_page: bool = False


class _Clips(msgspec.Struct, frozen=True, rename="camel"):
    edges: list[_Edge]
    page_info: _PageInfo


class _User(msgspec.Struct, frozen=True, rename="camel"):
    clips: _Clips | None = None


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    user: _User | None = None


class _Error(msgspec.Struct, frozen=True, rename="camel"):
    message: str = ""


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    data: _Data | None = None
    errors: list[_Error] = []


def viewer_clips(vod: str, channel: str, period: str) -> list[ViewerClip]:
    """The clips of a VOD among the 1,000 of its channel that were most viewed in a period, in order of time.

    A clip that Twitch connects with no VOD, or with no moment of it, is left out: Twitch does so where the VOD is gone,
    and for a while with clips that are new.

    Args:
        vod: its id.
        channel: whose it is, as in the address of the channel.
        period: see `period_since`.

    Raises:
        TwitchError: Twitch cannot be reached, or does not answer with clips.
    """
    clips: dict[str, ViewerClip] = {}
    for node in _nodes(channel, period):
        if node.video is None or node.video.id != vod or node.video_offset_seconds is None or not node.duration_seconds:
            continue
        if node.slug is None or not _SLUG.fullmatch(node.slug):
            continue
        clips[node.slug] = ViewerClip(
            slug=node.slug,
            start=round(node.video_offset_seconds, 3),
            stop=round(node.video_offset_seconds + node.duration_seconds, 3),
            title=text.printable(" ".join((node.title or "").split()))[:_LONGEST_TITLE],
            views=node.view_count or 0,
        )
    return sorted(clips.values(), key=lambda clip: (clip.start, clip.stop, clip.slug))


def period_since(began: datetime | None, now: datetime) -> str:
    """The shortest of Twitch's periods, which all end now, that reaches back to this time. None is long ago."""
    return next((name for name, length in _PERIODS if began and now - began < length), "ALL_TIME")


def _nodes(channel: str, period: str) -> Iterator[_Node]:
    """Yields the clips of a channel, page by page."""
    cursor = ""
    for _ in range(PAGES):
        clips = _page(channel, period, cursor)
        yield from (edge.node for edge in clips.edges if edge.node)
        cursor = (clips.edges[-1].cursor if clips.edges else None) or ""
        if not clips.page_info.has_next_page or not cursor:
            return


def _page(channel: str, period: str, cursor: str) -> _Clips:
    """One page of the clips of a channel, behind the cursor."""
    query = f"""{{ user(login: {json.dumps(channel)}) {{
        clips(first: {_PAGE}, after: {json.dumps(cursor)}, criteria: {{ period: {period}, sort: VIEWS_DESC }}) {{
            pageInfo {{ hasNextPage }} edges {{ cursor node {{ {_FIELDS} }} }}
    }} }} }}"""
    headers = {"Client-ID": _CLIENT, "Content-Type": "application/json"}
    request = urllib.request.Request(_GRAPHQL, json.dumps({"query": query}).encode(), headers)
    try:
        answer = web_api.ask(request)
    except ValueError:  # whose text may hold a password
        raise TwitchError("clips of viewers: Twitch cannot be asked: check https_proxy") from None
    if answer.status == 0:
        raise TwitchError(f"clips of viewers: the connection to Twitch failed ({answer.why}): run again")
    if answer.status != 200:
        raise TwitchError(f"clips of viewers: Twitch answered {answer.status}: run again later")
    try:  # not by msgspec alone, which knows no half characters
        listed = msgspec.convert(json.loads(answer.body), _Answer)
    except (ValueError, RecursionError) as error:
        raise TwitchError(f"clips of viewers: what Twitch answers is none ({str(error)[:200]})") from error
    if listed.errors or not listed.data:
        why = "; ".join(error.message for error in listed.errors)[:200] or "without a reason"
        raise TwitchError(f"clips of viewers: Twitch refuses to list them ({why})")
    if not listed.data.user or not listed.data.user.clips:
        raise TwitchError(f"clips of viewers: Twitch knows no channel {channel}")
    return listed.data.user.clips
