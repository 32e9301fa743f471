"""Events of a game, as Riot's Match-V5 tells them: the highlights of a player, by rules.

Nobody has looked at the stream, so such labels are weaker than a person's. Their source names the game.
"""

import logging
from collections.abc import Callable

from lolhl.errors import LabelError, UsageError
from lolhl.labels.event_rules import Rules, parse_rules, shipped, spans_of
from lolhl.labels.file import LabelFile, Labels
from lolhl.labels.rows import LONGEST
from lolhl.matches.game import Game, Player, game_of
from lolhl.matches.timeline import Match, looks_like, parse_match, parse_record

__all__ = ["ROUGH", "looks_like", "read", "source_of"]

log = logging.getLogger(__name__)

ROUGH = (
    "this is rough: the stream shows a game some 10 s later than that (an estimate), and later still by the delay of "
    "the stream, if it has one"
)
"""What people are told where a game is placed by Twitch's and Riot's clocks."""


def source_of(match_id: str) -> str:
    """What the source of a label is called that comes from this game."""
    return f"riot {match_id}"


def read(file: LabelFile) -> Labels:
    """The highlights of the game that a timeline is of.

    Raises:
        LabelError: the file is no timeline, the account is not in it, or nothing in it counts.
        UsageError: nobody says which VOD it is, or where the game lies in it.
    """
    game = _game(file)
    rules = _rules(file)
    player = _player(file, game)
    if file.vod is None:
        raise UsageError(f"{file.name}: it does not name its VOD: give --vod")
    time_of = _time_of(file, file.vod, game)
    duration = file.known.durations.get(file.vod, LONGEST)
    spans = spans_of(game.events, rules, time_of, player=player, duration=duration, source=source_of(game.id))
    if not spans:
        raise LabelError(
            f"{file.name}: no event of game {game.id} counts by the rules and lies in VOD {file.vod}: "
            "check --player, --rules and --game-start"
        )
    return file.labels((file.name, span) for span in spans)


def _game(file: LabelFile) -> Game:
    try:
        record = parse_record(file.data)
    except ValueError as error:
        raise LabelError(f"{file.name}: this is no timeline of Match-V5 ({str(error)[:200]})") from None
    match = _match(file)
    if match and match.metadata.match_id != record.timeline.metadata.match_id:
        raise LabelError(
            f"{file.name}: it is of game {record.timeline.metadata.match_id}, and --match of "
            f"{match.metadata.match_id}: give the match of the same game"
        )
    return game_of(record, match)


def _match(file: LabelFile) -> Match | None:
    if file.game.match is None:
        return None
    name, data = file.game.match
    try:
        return parse_match(data)
    except ValueError as error:
        raise LabelError(f"{name}: this is no match of Match-V5 ({str(error)[:200]})") from None


def _rules(file: LabelFile) -> Rules:
    return shipped() if file.game.rules is None else parse_rules(file.game.rules[1], file.game.rules[0])


def _player(file: LabelFile, game: Game) -> Player | None:
    wanted = file.game.player
    if wanted is None:
        return None
    player = game.player(wanted)
    if player is None:
        names = [player.riot_id or str(player.number) for player in game.players]
        hint = (
            "" if any(player.riot_id for player in game.players) else "; Riot IDs are in the match: give it by --match"
        )
        raise LabelError(f"{file.name}: {wanted[:100]!r} has not played in game {game.id}: {', '.join(names)}{hint}")
    return player


def _time_of(file: LabelFile, vod: str, game: Game) -> Callable[[float], float]:
    """When the VOD shows what happens at a second of the game's clock."""
    begin = file.game.start
    if begin is None:
        recorded = file.known.recorded.get(vod)
        if game.clock.began is None or recorded is None:
            unsaid = (
                "the game's record does not say when it began"
                if game.clock.began is None
                else f"nobody knows when VOD {vod} was recorded"
            )
            raise UsageError(
                f"{file.name}: {unsaid}: give --game-start, the time of the VOD at which the game's clock is 0"
            )
        begin = game.clock.began - recorded
        log.warning(
            "labels: game %s begins at %.0f s of VOD %s by the clocks of Twitch and Riot; %s: --game-start says it "
            "better", game.id, begin, vod, ROUGH,
        )  # fmt: skip
    return lambda seconds: begin + game.clock.since_begin(seconds)
