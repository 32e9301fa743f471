"""Hostile values and texts, and what can happen to a file's bytes."""

import json
import random
from typing import Any

from tests.results import unsealed

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2**31, 2**63, 10**9, 10**400, -(10**400), 0.0, -0.5, 1e-320, 1e308, 240000.5,
    float("nan"), float("inf"), float("-inf"), "", "0", "1", "-1", "1e99999999", "1e-99999", "1/0", "240000/1", "0/1",
    "nan", "a", "x" * 100_000, "../../x", "/etc/passwd", "\x1b[31m", "é日本", "\ud800", "a\nb", [], [[]], [1, "a",
    None], {}, {"a": {}}, {"": None}, [0] * 1000,
)  # fmt: skip
TEXTS = (
    "", " ", "0", "-1", "1e9999999", "1e-9999999", "nan", "inf", "-inf", "1/0", "0/0", "9" * 5000, "0x10", "1_000",
    "٣", "²", "é", "日本", "\u202e", "\x1b]0;taken\x07", "\x9b31m", "\x00", "\x7f", "a" * 5000, "../x", "/etc/passwd",
    ".", "..", "-", "--", "--help", "-x", "champion", "champion.json", "con", "a/b", "a\\b", "~", "~root", "$HOME",
    "%s", "{}", "{0}", "file:a.mp4", "s3://x", "http://", "http://[::1", "a\nb", "\r", "\ufeff", "\U0001f600",
    "\udce9", "1:99:00", "999999999:00:00", "0:00:00.0000000000001", "true", "null", "[]", "a=b", "a,b", "'", '"',
    "`id`", "*", "?",
)  # fmt: skip


def mutate(rng: random.Random, data: bytes) -> bytes:
    """A JSON file with other values, keys too many or too few, or with bytes that are no JSON."""
    if rng.random() < 0.25:
        return _no_json(rng, data)
    tree = json.loads(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = [*_places(tree)]
        if not places:
            break
        parent, key = rng.choice(places)
        match rng.randrange(8):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, dict):
                parent[rng.choice(TEXTS) or "new"] = rng.choice(HOSTILE)
            case 2 if isinstance(parent, list):
                parent *= rng.choice((0, 2, 50))
            case 3 if isinstance(parent[key], str):
                parent[key] = rng.choice(TEXTS)
            case 4 if isinstance(parent[key], int | float):
                parent[key] = str(parent[key])
            case 5:
                parent[key] = [parent[key]]
            case _:
                parent[key] = rng.choice(HOSTILE)
    return json.dumps(tree).encode()


def set_value(data: bytes, value: Any, *path: str | int) -> bytes:
    """A manifest with another value at this place, as lolhl 0.1 might have written it."""
    tree = part = json.loads(unsealed(data))
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return json.dumps(tree).encode()


def damage_bytes(rng: random.Random, data: bytes) -> bytes:
    """Any file: cut off, empty, with other bytes, holes, or more than there was."""
    at = rng.randrange(len(data) or 1)
    match rng.randrange(8):
        case 0:
            return b""
        case 1:
            return data[:at]
        case 2:
            return data[at:]
        case 3:
            return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :] if data else b"\0"
        case 4:
            return data[:at] + bytes(min(100, len(data) - at)) + data[at + 100 :]
        case 5:
            return data + rng.randbytes(rng.randrange(1, 1000))
        case 6:
            return rng.randbytes(rng.randrange(1, 5000))
        case _:
            return data + data


def _no_json(rng: random.Random, data: bytes) -> bytes:
    match rng.randrange(8):
        case 0:
            return b"[" * 200_000
        case 1:
            return b'{"a":' * 100_000
        case 2:
            return b"\xff\xfe" + data
        case 3:
            return data.replace(b'"', b"'")
        case 4:
            return data.replace(b"{", b'{"stage": "x", "result": {}, ', 1)
        case 5:
            return rng.choice((b"null", b"3", b"[]", b"{}", b'""', b"NaN", b"1e999", b"true"))
        case _:
            return damage_bytes(rng, data)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Each place of a JSON tree, as its parent and its key."""
    places: list[tuple[Any, Any]] = []
    parts = [tree]
    while parts:
        part = parts.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else []
        for key in keys:
            places.append((part, key))
            parts.append(part[key])
    return places
