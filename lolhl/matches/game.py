"""A game: who played, what happened, and when, by the game's clock and by that of the world.

The game's clock stands still in a pause. A timeline says at the end of each pause, and at the game's beginning, which
time it is in the world.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lolhl.matches.timeline import Match, Record, TimelineEvent

KINDS = {
    "kill": "a player killed another one",
    "assist": "a player helped with a kill",
    "death": "a player was killed, also by a tower or a monster",
    "first_blood": "the first kill of the game",
    "double_kill": "two kills of one player in a row",
    "triple_kill": "three kills in a row",
    "quadra_kill": "four kills in a row",
    "penta_kill": "five kills in a row, or more",
    "shutdown": "a kill that paid a bounty, since the victim had killed much",
    "ace": "the last living player of a team was killed",
    "dragon": "a dragon was slain",
    "elder_dragon": "the elder dragon was slain",
    "grubs": "a void grub was slain",
    "herald": "the rift herald was slain",
    "baron": "Baron Nashor was slain",
    "atakhan": "Atakhan was slain",
    "tower": "a tower fell",
    "inhibitor": "an inhibitor fell",
}
"""Kind of event → what it is, for people."""

MULTI_KILLS = ("double_kill", "triple_kill", "quadra_kill", "penta_kill")
REMAKE = 300.0  # seconds; a game that is shorter was broken off, since nobody can give up so soon

_MONSTERS = {
    "DRAGON": "dragon",
    "HORDE": "grubs",
    "RIFTHERALD": "herald",
    "BARON_NASHOR": "baron",
    "ATAKHAN": "atakhan",
}
_BUILDINGS = {"TOWER_BUILDING": "tower", "INHIBITOR_BUILDING": "inhibitor"}
_BLUE, _RED = 100, 200  # the teams
_LONGEST_PAUSE = 6 * 3600.0  # seconds; a greater step of the world's clock is an error of the record


@dataclass(frozen=True)
class Player:
    """A player: the number in the game, 1 to 10 mostly, the team, and the account.

    Attributes:
        riot_id: NAME#TAG; "" where the record does not say it.
    """

    number: int
    team: int
    puuid: str = ""
    riot_id: str = ""
    champion: str = ""


@dataclass(frozen=True)
class Event:
    """Something that happened in a game.

    Attributes:
        kind: one of `KINDS`.
        seconds: when, by the game's clock.
        player: the number of whose it is; 0 where it is nobody's, as of a tower that minions took.
        team: whose it is; 0 where it is nobody's.
    """

    kind: str
    seconds: float
    player: int
    team: int


@dataclass(frozen=True)
class GameClock:
    """The game's clock beside that of the world.

    Attributes:
        began: when it was 0, in seconds of Unix time; None where the record does not say it.
        pauses: for each pause, when it was by the game's clock, and how many seconds all pauses so far lasted.
    """

    began: float | None
    pauses: tuple[tuple[float, float], ...] = ()

    def since_begin(self, seconds: float) -> float:
        """Seconds of the world from the game's beginning until its clock shows so many."""
        return seconds + max((paused for at, paused in self.pauses if at <= seconds), default=0.0)


@dataclass(frozen=True)
class Game:
    """A game.

    Attributes:
        id: as EUW1_7123456789.
        seconds: how long it lasted, by its clock.
        events: in order of time.
    """

    id: str
    players: tuple[Player, ...]
    events: tuple[Event, ...]
    clock: GameClock
    seconds: float

    @property
    def is_remake(self) -> bool:
        return self.seconds < REMAKE

    def player(self, wanted: str) -> Player | None:
        """The player with this puuid, Riot ID (in any case) or number. None where nobody has it."""
        plain = wanted.strip().casefold()
        for player in self.players:
            if plain and plain in (str(player.number), player.puuid.casefold(), player.riot_id.casefold()):
                return player
        return None


def game_of(record: Record, match: Match | None = None) -> Game:
    """The game of a record.

    Args:
        record: its timeline, and perhaps the match.
        match: the match, where the record does not hold it.
    """
    match = match or record.match
    timeline = record.timeline
    raw = sorted((event for frame in timeline.info.frames for event in frame.events), key=lambda e: e.timestamp)
    players = _players(record, match)
    teams = {player.number: player.team for player in players}
    last = max([frame.timestamp for frame in timeline.info.frames] + [event.timestamp for event in raw], default=0)
    events = tuple(event for raw_event in raw for event in _events(raw_event, teams))
    return Game(timeline.metadata.match_id, players, events, _clock(raw, match), last / 1000)


def match_seconds(match: Match) -> float:
    """How long the game of a match lasted."""
    duration = match.info.game_duration
    return float(duration) if match.info.game_end_timestamp else duration / 1000


def _players(record: Record, match: Match | None) -> tuple[Player, ...]:
    if match:
        return tuple(
            Player(
                participant.participant_id,
                participant.team_id or _team(participant.participant_id),
                participant.puuid,
                f"{participant.riot_id_game_name}#{participant.riot_id_tagline}"
                if participant.riot_id_game_name
                else "",
                participant.champion_name,
            )
            for participant in match.info.participants
        )
    timeline = record.timeline
    seats = [(seat.participant_id, seat.puuid) for seat in timeline.info.participants]
    seats = seats or [*enumerate(timeline.metadata.participants, start=1)]
    return tuple(Player(number, _team(number), puuid) for number, puuid in seats)


def _team(number: int) -> int:
    """The team of a player of two teams of five."""
    return _BLUE if 1 <= number <= 5 else _RED if number <= 10 else 0


def _clock(raw: Sequence[TimelineEvent], match: Match | None) -> GameClock:
    """The clock by the ends of pauses. The first of them is the game's beginning."""
    ends = [(e.timestamp / 1000, e.real_timestamp / 1000) for e in raw if e.type == "PAUSE_END" and e.real_timestamp]
    if match and match.info.game_start_timestamp and (not ends or ends[0][0] > 1):
        ends.insert(0, (0.0, match.info.game_start_timestamp / 1000))
    if not ends:
        return GameClock(None)
    began = ends[0][1] - ends[0][0]
    pauses, paused = [], 0.0
    for at, real in ends[1:]:
        longer = real - began - at
        if paused < longer <= paused + _LONGEST_PAUSE:
            paused = longer
            pauses.append((at, paused))
    return GameClock(began, tuple(pauses))


def _events(raw: TimelineEvent, teams: dict[int, int]) -> Iterator[Event]:
    """What an event of the timeline is for each of those whom it concerns."""
    seconds, killer = raw.timestamp / 1000, raw.killer_id

    def event(kind: str, player: int, team: int = 0) -> Event:
        return Event(kind, seconds, player, team or teams.get(player, 0))

    if raw.type == "CHAMPION_KILL":
        if killer:
            yield event("kill", killer)
            if raw.shutdown_bounty > 0:
                yield event("shutdown", killer)
        yield from (event("assist", number) for number in raw.assisting_participant_ids)
        yield event("death", raw.victim_id)
    elif raw.type == "CHAMPION_SPECIAL_KILL":
        if raw.kill_type == "KILL_MULTI" and raw.multi_kill_length >= 2:
            yield event(MULTI_KILLS[min(raw.multi_kill_length, 5) - 2], killer)
        elif raw.kill_type == "KILL_FIRST_BLOOD":
            yield event("first_blood", killer)
        elif raw.kill_type == "KILL_ACE":
            yield event("ace", killer)
    elif raw.type == "ELITE_MONSTER_KILL" and (kind := _MONSTERS.get(raw.monster_type)):
        yield event("elder_dragon" if raw.monster_sub_type == "ELDER_DRAGON" else kind, killer, raw.killer_team_id)
    elif raw.type == "BUILDING_KILL" and (kind := _BUILDINGS.get(raw.building_type)):
        # It names the team that has lost it.
        yield event(kind, killer, {_BLUE: _RED, _RED: _BLUE}.get(raw.team_id, 0))
