"""riot: a VOD and the accounts that play in it → games/<vod>.json, and labels of what happened in the games.

Riot is asked for the matches of the accounts while the VOD lasts. Each is kept in matches/, with its timeline, so that
it is asked for once. A run that is killed, or has made all requests that it may, goes on with what is there.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from lolhl import layout, manifest, progress
from lolhl.config import Config, setting
from lolhl.errors import RiotError, UsageError
from lolhl.grid import format_time, parse_time
from lolhl.labels.event_rules import SHIPPED, Rules, parse_rules, spans_of
from lolhl.labels.riot_timeline import source_of
from lolhl.labels.rows import KnownVods, checked
from lolhl.labels.spans import Span
from lolhl.labels.store import has_a_person_s, joined, save_labels, stored_labels
from lolhl.manifest import Manifest
from lolhl.matches.clock import ClockGame
from lolhl.matches.game import REMAKE, Event, Game, Player, game_of, match_seconds
from lolhl.matches.placing import Disagreement, starts_by_clock
from lolhl.matches.riot import REGIONS, RiotApi, RiotId, open_api, parse_riot_ids
from lolhl.matches.timeline import Match, parse_record, record_bytes
from lolhl.results import GameEvent, Games, ShownGame, Vod
from lolhl.stages.known_games import stored_clock
from lolhl.stages.labels import read_plain
from lolhl.storage import Root

log = logging.getLogger(__name__)

_BEFORE = 2 * 3600.0  # seconds before the VOD in which a game may have begun that the VOD still shows
_AFTER = 3600.0  # seconds after it in which such a game may end, whatever Riot takes for the time of a match
_MARGIN = 60.0  # seconds by which a game may miss the VOD, since its place is rough


def parse_moment(text: str) -> float:
    """Unix time of 2024-09-08T10:00:00+02:00. Raises UsageError for what is none, or has no time zone."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{text[:40]!r} is no time: write it as 2024-09-08T10:00:00+02:00, with the zone or a Z")


@dataclass(frozen=True, kw_only=True)
class RiotConfig(Config):
    """Where the games are looked for, and what counts."""

    region: str = setting("europe", "where the account plays: a region of Riot's, or a server", choices=REGIONS)
    recorded_at: float | None = setting(
        None,
        "when the VOD's time 0 was recorded, as 2024-09-08T10:00:00+02:00 (default: as Twitch says)",
        at_least=0,
        at_most=10**11,
        parse=parse_moment,
    )
    game_start: float | None = setting(
        None,
        "the time of the VOD at which the clock of its first game is 0, of those that begin in it, as h:mm:ss or "
        "seconds; it sets all games right (default: by the clock that `lolhl clock` read, else by when VOD and games "
        "began, which is rough)",
        at_least=0,
        at_most=100 * 3600,
        parse=parse_time,
    )
    rules: str | None = setting(
        None,
        "the file with the rules for events, in TOML (default: lolhl/labels/event_rules.toml)",
        neutral=True,  # its bytes are among the inputs
    )
    requests: int = setting(
        30,
        "requests to Riot that one run may make; each new game takes two",
        at_least=1,
        at_most=90,  # Riot allows 100 in two minutes
        neutral=True,
    )


def riot(
    root: Root, vod: str, riot_id: str, config: RiotConfig = RiotConfig(), *, force: bool = False
) -> Manifest[Games]:
    """Makes games/<vod>.json, and of what happened in the games labels/<vod>.tsv, unless a person labelled the VOD.

    Args:
        root: where the data lies.
        vod: name of a downloaded VOD.
        riot_id: the account that plays, as NAME#TAG; several with commas between them.
        config: see `RiotConfig`.
        force: ask again, but not for matches that are there.

    Returns:
        The manifest. Its result says where in the VOD the games and their events lie.

    Raises:
        MissingInput: the VOD was not downloaded.
        UsageError: there is no key, nobody knows when the VOD was recorded, or the rules are none.
        RiotError: Riot does not give the matches, or has none.
    """
    accounts = parse_riot_ids(riot_id)
    stored = manifest.load(root, layout.vod(vod), Vod)
    rules_name = config.rules or str(SHIPPED)
    rules_data = read_plain(Path(rules_name))
    rules = parse_rules(rules_data, rules_name)
    inputs = {
        layout.vod(vod): stored.content_digest(),
        "accounts": _sha256(",".join(map(str, accounts)).encode()),
        "rules": _sha256(rules_data),
    }
    clock = stored_clock(root, stored) if config.game_start is None else None
    if clock:
        inputs[layout.clock(vod)] = clock.content_digest()
    todo, earlier = manifest.plan(root, layout.games(vod), Games, config, inputs, force=force)
    if earlier:
        return earlier
    began = _began(stored.result, config)
    matches = _find(root, open_api(config.region, config.requests), accounts, began, stored.result)
    if not (matches.games or matches.remakes):
        names = " and ".join(map(str, accounts))
        raise RiotError(
            f"Riot has no game of {names} in {config.region} while VOD {vod} lasts, from "
            f"{datetime.fromtimestamp(began).astimezone().isoformat(timespec='minutes')} on: check --region, --riot-id "
            "and --recorded-at"
        )
    starts, placed = _starts(stored.result, matches, began, config, clock.result.games if clock else ())
    result, spans = _place(stored.result, matches, starts, placed, rules)
    before = manifest.intact(root, layout.games(vod), Games)
    sources = {source_of(game.match) for game in before.result.games} if before else set()
    if not _store_labels(root, vod, spans, sources):
        result = replace(result, labelled=False)
    return todo.finish(result, [])


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _began(vod: Vod, config: RiotConfig) -> float:
    """When the VOD's time 0 was recorded, in Unix time."""
    if config.recorded_at is not None:
        return config.recorded_at
    if vod.began is None:
        raise UsageError(
            f"nobody knows when VOD {vod.vod} was recorded: give --recorded-at, as 2024-09-08T10:00:00+02:00 (a VOD of "
            "Twitch that an earlier lolhl fetched says it after `lolhl download … --force`)"
        )
    return vod.began.timestamp()


@dataclass(frozen=True)
class _Matches:
    """Games with whose they are, and the ids of those that were broken off."""

    games: Sequence[tuple[Game, Player, RiotId]]
    remakes: Sequence[str]


def _find(root: Root, api: RiotApi, accounts: Sequence[RiotId], began: float, vod: Vod) -> _Matches:
    """The games of the accounts that overlap the VOD, each of the first account that plays in it."""
    end = began + vod.duration
    games: dict[str, tuple[Game, Player, RiotId]] = {}
    remakes: list[str] = []
    for account in accounts:
        puuid = api.puuid(account)
        ids = api.match_ids(puuid, account, began - _BEFORE, end + _AFTER)
        with progress.bar(f"riot {vod.vod}", len(ids), "matches") as advance:
            for match_id in ids:
                advance(1)
                if match_id in games or match_id in remakes:
                    continue
                game = _kept(root, match_id)
                if game is None or not _player(game, account, puuid):
                    answer = api.match(match_id)
                    start, stop = _times(answer[0]) if answer else (0.0, 0.0)
                    if answer is None or not stop:
                        log.warning("riot: Riot lists match %s and does not know it", match_id)
                        continue
                    match, data = answer
                    if stop < began - _MARGIN:  # so are all that follow; Riot does not always heed the times asked for
                        break
                    if start > end + _MARGIN:
                        continue
                    if match_seconds(match) < REMAKE:
                        remakes.append(match_id)
                        continue
                    game = _fetch(root, api, match_id, data)
                player = _player(game, account, puuid) if game else None
                if game is None or player is None or game.clock.began is None:
                    log.warning("riot: what Riot has of match %s does not say who did what and when", match_id)
                    continue
                if game.clock.began + game.clock.since_begin(game.seconds) < began - _MARGIN:
                    break
                if game.clock.began <= end + _MARGIN:
                    games[match_id] = (game, player, account)
    return _Matches(sorted(games.values(), key=lambda shown: shown[0].clock.began or 0), sorted(remakes))


def _fetch(root: Root, api: RiotApi, match_id: str, match: bytes) -> Game | None:
    """A game with its timeline, which is kept. None where Riot has no timeline of it.

    Args:
        match: what Riot answered of the match.
    """
    timeline = api.timeline(match_id)
    if timeline is None:
        return None
    record = record_bytes(timeline, match)
    root.write(layout.match(match_id), record)
    return game_of(parse_record(record))


def _kept(root: Root, match_id: str) -> Game | None:
    """A game that is kept. None where there is none, or what is there is damaged."""
    stored = root.find(layout.match(match_id))
    if stored is None:
        return None
    try:
        return game_of(parse_record(stored[0]))
    except ValueError:
        log.warning("riot: %s/%s is damaged, so that it is asked for again", root.url, layout.match(match_id))
        return None


def _player(game: Game, account: RiotId, puuid: str) -> Player | None:
    """The player with this account. A puuid is another one for each key; then the name tells."""
    return game.player(puuid) or game.player(str(account))


def _times(match: Match) -> tuple[float, float]:
    """When a match began and ended, in Unix time."""
    start = (match.info.game_start_timestamp or match.info.game_creation) / 1000
    return start, (match.info.game_end_timestamp or 0) / 1000 or start + match_seconds(match)


_Placed = Literal["roughly", "by the clock", "by hand"]


def _starts(
    vod: Vod, matches: _Matches, began: float, config: RiotConfig, shown: Sequence[ClockGame]
) -> tuple[list[float], _Placed]:
    """When each game's clock is 0, in seconds of the VOD, and how that is known.

    Args:
        shown: the games that the clock on the pictures tells.

    Raises:
        UsageError: no game begins in the VOD, and --game-start says when the first does.
        RiotError: the games lie elsewhere by the clock than by when VOD and games began.
    """
    rough = [(game.clock.began or 0.0) - began for game, _, _ in matches.games]
    if config.game_start is not None:
        first = next((start for start in rough if start >= 0), None)
        if first is None:
            raise UsageError(
                f"--game-start {format_time(config.game_start)}: no game begins in VOD {vod.vod}: leave it out, or "
                "give --recorded-at"
            )
        return [start + config.game_start - first for start in rough], "by hand"
    games = [game for game, _, _ in matches.games]
    try:
        starts = starts_by_clock(games, rough, shown)
    except Disagreement as error:
        raise RiotError(f"VOD {vod.vod}: {error}: check --recorded-at, --riot-id and --region") from None
    return (rough, "roughly") if starts is None else (starts, "by the clock")


def _place(
    vod: Vod, matches: _Matches, starts: Sequence[float], placed: _Placed, rules: Rules
) -> tuple[Games, list[Span]]:
    """Where games and events lie in the VOD, and the highlights.

    Args:
        starts: when each game's clock is 0, in seconds of the VOD.
        placed: how that is known.
    """
    known = KnownVods({vod.vod: vod.duration})
    shown, events, labels = [], [], []
    for (game, player, account), start in zip(matches.games, starts, strict=True):

        def time_of(seconds: float, game: Game = game, start: float = start) -> float:
            return start + game.clock.since_begin(seconds)

        spans = spans_of(game.events, rules, time_of, player=player, duration=vod.duration, source=source_of(game.id))
        labels += [checked(span, vod.vod, known, game.id) for span in spans]
        for event in game.events:
            time = round(time_of(event.seconds), 3)
            if 0 <= time < vod.duration:
                events.append(GameEvent(time=time, kind=event.kind, whose=_whose(event, player)))
        shown.append(
            ShownGame(
                match=game.id,
                account=str(account),
                champion=player.champion,
                start=round(start, 3),
                stop=round(time_of(game.seconds), 3),
                labels=len(spans),
            )
        )
    result = Games(
        vod=vod.vod,
        games=shown,
        remakes=list(matches.remakes),
        events=sorted(events, key=lambda event: event.time),
        highlights=sorted(labels),
        placed=placed,
        labelled=True,
    )
    return result, labels


def _whose(event: Event, player: Player) -> Literal["player", "team", "enemy"]:
    if event.player == player.number:
        return "player"
    return "team" if event.team == player.team else "enemy"


def _store_labels(root: Root, vod: str, spans: list[Span], before: set[str]) -> bool:
    """Stores what came of the games. False where a person labelled the VOD, whose labels stay.

    Args:
        before: sources of labels that an earlier run stored, which are replaced.
    """
    stored = stored_labels(root, vod)
    earlier = list(stored.spans) if stored else []
    if stored and has_a_person_s(earlier):
        return False
    labels = joined(earlier, spans, before)
    if labels:
        save_labels(root, vod, labels)
    elif stored:  # an empty file would say that a person saw no highlight
        root.delete(layout.labels(vod))
    return True
