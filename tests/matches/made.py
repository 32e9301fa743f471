"""Matches and timelines as Match-V5 answers, made up: ten players, and what happens to them."""

import json
from typing import Any

BEGAN = 1_725_784_000.0  # Unix time at which the game's clock is 0: 2024-09-08 08:26:40 UTC


def puuid(name: str) -> str:
    """A player's id, as long as Riot's."""
    return f"{name.lower()}-" + "x" * (77 - len(name))


def names(me: str = "Me") -> list[str]:
    return [me, *(f"Player{number}" for number in range(2, 11))]


def kill(at: float, killer: int, victim: int, *assisting: int, bounty: int = 0) -> dict[str, Any]:
    return {
        "type": "CHAMPION_KILL",
        "timestamp": round(at * 1000),
        "killerId": killer,
        "victimId": victim,
        "assistingParticipantIds": list(assisting),
        "bounty": 300,
        "shutdownBounty": bounty,
        "killStreakLength": 0,
        "position": {"x": 5000, "y": 6000},
        "victimDamageDealt": [{"basic": False, "magicDamage": 10, "name": "Ahri", "participantId": victim}],
    }


def multi(at: float, killer: int, length: int) -> dict[str, Any]:
    return {
        "type": "CHAMPION_SPECIAL_KILL",
        "timestamp": round(at * 1000),
        "killerId": killer,
        "killType": "KILL_MULTI",
        "multiKillLength": length,
        "position": {"x": 1, "y": 2},
    }


def special(at: float, killer: int, kind: str) -> dict[str, Any]:
    return {"type": "CHAMPION_SPECIAL_KILL", "timestamp": round(at * 1000), "killerId": killer, "killType": kind}


def monster(at: float, killer: int, team: int, kind: str, sub: str | None = None) -> dict[str, Any]:
    event = {
        "type": "ELITE_MONSTER_KILL",
        "timestamp": round(at * 1000),
        "killerId": killer,
        "killerTeamId": team,
        "monsterType": kind,
        "bounty": 0,
    }
    return event | ({"monsterSubType": sub} if sub else {})


def building(at: float, killer: int, lost_by: int, kind: str) -> dict[str, Any]:
    return {
        "type": "BUILDING_KILL",
        "timestamp": round(at * 1000),
        "killerId": killer,
        "teamId": lost_by,
        "buildingType": kind,
        "laneType": "MID_LANE",
        "towerType": "OUTER_TURRET",
    }


def pause_end(at: float, real: float) -> dict[str, Any]:
    return {"type": "PAUSE_END", "timestamp": round(at * 1000), "realTimestamp": round(real * 1000)}


FIGHT = [
    kill(300, 1, 6, 2, bounty=150),
    kill(304, 1, 7),
    multi(304, 1, 2),
    kill(309, 1, 8, 3, 4),
    multi(309, 1, 3),
    special(309, 1, "KILL_ACE"),
]


def timeline(
    *events: dict[str, Any],
    match_id: str = "EUW1_7123456789",
    began: float | None = BEGAN,
    seconds: float = 1800,
    me: str = "Me",
) -> dict[str, Any]:
    """A timeline. Its first event is the game's beginning, as of all of Riot's."""
    players = [puuid(name) for name in names(me)]
    begin = [pause_end(0, began)] if began is not None else []
    all_events = sorted([*begin, *events], key=lambda event: event["timestamp"])
    frames = [
        {
            "events": [event for event in all_events if first <= event["timestamp"] < first + 60_000],
            "participantFrames": {"1": {"level": 1, "totalGold": 500}},
            "timestamp": first,
        }
        for first in range(0, round(seconds * 1000), 60_000)
    ]
    ending = {"type": "GAME_END", "timestamp": round(seconds * 1000), "winningTeam": 100, "gameId": 1}
    frames.append({"events": [ending], "participantFrames": {}, "timestamp": round(seconds * 1000)})
    return {
        "metadata": {"dataVersion": "2", "matchId": match_id, "participants": players},
        "info": {
            "endOfGameResult": "GameComplete",
            "frameInterval": 60000,
            "frames": frames,
            "gameId": int(match_id.split("_")[1]),
            "participants": [{"participantId": n, "puuid": player} for n, player in enumerate(players, start=1)],
        },
    }


def match(
    *, match_id: str = "EUW1_7123456789", began: float = BEGAN, seconds: float = 1800, me: str = "Me"
) -> dict[str, Any]:
    return {
        "metadata": {"dataVersion": "2", "matchId": match_id, "participants": [puuid(name) for name in names(me)]},
        "info": {
            "gameCreation": round((began - 60) * 1000),
            "gameDuration": round(seconds),
            "gameStartTimestamp": round(began * 1000),
            "gameEndTimestamp": round((began + seconds) * 1000),
            "gameMode": "CLASSIC",
            "queueId": 420,
            "platformId": match_id.split("_")[0],
            "participants": [
                {
                    "participantId": n,
                    "puuid": puuid(name),
                    "teamId": 100 if n <= 5 else 200,
                    "riotIdGameName": name,
                    "riotIdTagline": "EUW",
                    "championName": "Ahri",
                    "gameEndedInEarlySurrender": seconds < 300,
                }
                for n, name in enumerate(names(me), start=1)
            ],
        },
    }


def data(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
