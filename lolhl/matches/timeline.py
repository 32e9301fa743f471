"""What Riot's Match-V5 says of a game, as far as it is used: the match, and its timeline.

Two kinds of file hold a timeline: the answer of Riot's API, and what `lolhl riot` keeps, which holds the match too.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

Millis = Annotated[int, Meta(ge=0, le=10**9)]  # of the game's clock; no game has ten days
Moment = Annotated[int, Meta(ge=0, le=10**14)]  # Unix time in milliseconds
Number = Annotated[int, Meta(ge=-(10**9), le=10**9)]


class TimelineEvent(msgspec.Struct, frozen=True, rename="camel"):
    """An event of a timeline, of any type: what the type does not have is 0 or empty."""

    type: str
    timestamp: Millis = 0
    real_timestamp: Moment | None = None
    killer_id: Number = 0
    victim_id: Number = 0
    assisting_participant_ids: tuple[Number, ...] = ()
    shutdown_bounty: Number = 0
    kill_type: str = ""
    multi_kill_length: Number = 0
    monster_type: str = ""
    monster_sub_type: str = ""
    building_type: str = ""
    killer_team_id: Number = 0
    team_id: Number = 0


class Frame(msgspec.Struct, frozen=True):
    """A minute of a game."""

    events: tuple[TimelineEvent, ...] = ()
    timestamp: Millis = 0


class Seat(msgspec.Struct, frozen=True, rename="camel"):
    """A player, as a timeline names one."""

    participant_id: Number
    puuid: str = ""


class TimelineInfo(msgspec.Struct, frozen=True):
    frames: tuple[Frame, ...]
    participants: tuple[Seat, ...] = ()


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """The game's id, as EUW1_7123456789, and the players' ids in order of their numbers."""

    match_id: Annotated[str, Meta(pattern=r"\A[A-Z0-9]{1,8}_[0-9]{1,20}\Z")]
    participants: tuple[str, ...] = ()


class Timeline(msgspec.Struct, frozen=True):
    metadata: Metadata
    info: TimelineInfo


class Participant(msgspec.Struct, frozen=True, rename="camel"):
    """A player, as a match names one."""

    participant_id: Number
    puuid: str = ""
    team_id: Number = 0
    riot_id_game_name: str | None = None
    riot_id_tagline: str | None = None
    champion_name: str = ""


class MatchInfo(msgspec.Struct, frozen=True, rename="camel"):
    """The duration is in seconds where there is an end, and in milliseconds in older matches, which have none."""

    game_duration: Number
    participants: tuple[Participant, ...]
    game_creation: Moment = 0
    game_start_timestamp: Moment | None = None
    game_end_timestamp: Moment | None = None


class Match(msgspec.Struct, frozen=True):
    metadata: Metadata
    info: MatchInfo


class Record(msgspec.Struct, frozen=True):
    """A game as `lolhl riot` keeps it."""

    timeline: Timeline
    match: Match | None = None


_TIMELINE, _MATCH, _RECORD = msgspec.json.Decoder(Timeline), msgspec.json.Decoder(Match), msgspec.json.Decoder(Record)


def looks_like(text: str) -> bool:
    """Whether a text begins as a timeline does, or as what `lolhl riot` keeps."""
    return text.lstrip().startswith("{") and '"matchId"' in text


def parse_record(data: bytes) -> Record:
    """A timeline, or a record. Raises ValueError, which names the field that is wrong."""
    try:
        if data.lstrip().startswith(b'{"timeline"'):
            return _RECORD.decode(data)
        return Record(_TIMELINE.decode(data))
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None


def parse_match(data: bytes) -> Match:
    """A match. Raises ValueError, which names the field that is wrong."""
    try:
        return _MATCH.decode(data)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None


def record_bytes(timeline: bytes, match: bytes) -> bytes:
    """The file of a record, from what Riot answered."""
    return b'{"timeline": ' + timeline + b', "match": ' + match + b"}\n"
