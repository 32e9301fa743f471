"""A scripted player: it walks where the picture is deep, turns to the enemies it sees and shoots at them."""

import math
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

BUTTONS = (
    "ATTACK",
    "USE",
    "MOVE_FORWARD",
    "MOVE_BACKWARD",
    "MOVE_LEFT",
    "MOVE_RIGHT",
    "SPEED",
    "TURN_LEFT_RIGHT_DELTA",
)
_ENEMIES = ("Player", "Monster")  # categories of ViZDoom's labels; the player's own body is "Self"
_LANES = 16  # parts of the picture, left to right, whose depth is looked at
_HORIZON = (0.36, 0.46)  # rows where walls stand and the floor does not show, as parts of the height
_NEAR = 9  # a wall this near, in ViZDoom's depth units, is one to turn from
_STUCK_AFTER = 30  # pictures
_STUCK_WITHIN = 60  # map units; a run goes about 500 in that time
_MAX_TURN = 9.0  # degrees a tic of the game


def enemies(labels: list[Any]) -> list[Any]:
    """Of what ViZDoom says is in the picture, the living enemies."""
    return [label for label in labels if label.object_category in _ENEMIES]


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a player plays. Chances are for each picture.

    Attributes:
        runs: or walks.
        backs_off: from enemies that are near.
        lingers: chance of standing still for 2 to 6 s where no enemy is to be seen.
        blind: chance of shooting at nothing for 0.5 to 2 s where no enemy is to be seen.
    """

    runs: bool = True
    backs_off: bool = False
    lingers: float = 0.0
    blind: float = 0.0


STYLES = {
    "hunter": Style(),
    "careful": Style(runs=False, backs_off=True, lingers=0.004),
    "wild": Style(blind=0.006),
}


@dataclass
class Player:
    """Keeps what it is doing from one picture to the next; the same seed and pictures give the same actions."""

    seed: int
    style: Style = Style()
    lingering: int = 0  # pictures left of standing still
    firing: int = 0  # pictures left of shooting at nothing
    wander: float = 0.0  # degrees a tic, a slow drift that keeps it from circling
    escape: int = 0  # pictures left of walking away from where it got stuck
    turn: float = 0.0  # degrees a tic while it escapes
    strafe: int = 1  # -1 left, 1 right
    track: list[tuple[float, float]] = field(default_factory=list)  # where it walked, one place a picture

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def act(self, labels: list[Any], depth: npt.NDArray[np.uint8], position: tuple[float, float]) -> list[float]:
        """The buttons to press until the next picture, in the order of BUTTONS.

        Args:
            labels: what ViZDoom says is in the picture.
            depth: ViZDoom's depth buffer, uint8 [height, width].
            position: where the player stands, in map units.
        """
        seen = enemies(labels)
        pressed = self._fight(seen, depth.shape[1]) if seen else self._walk(depth, position)
        return [float(pressed.get(button, 0)) for button in BUTTONS]

    def _fight(self, seen: list[Any], width: int) -> dict[str, float]:
        nearest = max(seen, key=lambda enemy: enemy.height)
        middle = nearest.x + nearest.width / 2
        off = math.degrees(math.atan(middle / width * 2 - 1))  # the picture is 90 degrees wide
        self.track.clear()
        self.lingering = 0
        if self.random.random() < 0.04:
            self.strafe = -self.strafe
        return {
            "ATTACK": abs(off) < 3 + math.degrees(math.atan(nearest.width / width)),
            "MOVE_LEFT" if self.strafe < 0 else "MOVE_RIGHT": 1,
            "MOVE_FORWARD": nearest.width < width / 12,
            "MOVE_BACKWARD": self.style.backs_off and nearest.width > width / 8,
            "TURN_LEFT_RIGHT_DELTA": _limited(off * 0.5),
        }

    def _walk(self, depth: npt.NDArray[np.uint8], position: tuple[float, float]) -> dict[str, float]:
        if self.style.lingers and not self.lingering and self.random.random() < self.style.lingers:
            self.lingering = self.random.randint(60, 180)
        if self.style.blind and not self.firing and self.random.random() < self.style.blind:
            self.firing = self.random.randint(15, 60)
        self.lingering, self.firing = max(0, self.lingering - 1), max(0, self.firing - 1)
        if self.lingering:
            return {"ATTACK": self.firing > 0}
        return {"ATTACK": self.firing > 0, "SPEED": self.style.runs} | self._stroll(depth, position)

    def _stroll(self, depth: npt.NDArray[np.uint8], position: tuple[float, float]) -> dict[str, float]:
        self.track.append(position)
        if self.escape:
            self.escape -= 1
            return {
                "MOVE_FORWARD": self.escape < 25,
                "TURN_LEFT_RIGHT_DELTA": self.turn if self.escape > 15 else 0,
                "USE": self.escape % 10 == 0,
            }
        within = _STUCK_WITHIN if self.style.runs else _STUCK_WITHIN / 2
        if len(self.track) > _STUCK_AFTER and math.dist(self.track[-_STUCK_AFTER], position) < within:
            self.escape, self.turn = 40, self.random.choice((-1, 1)) * self.random.uniform(2, 7)
            self.track.clear()
        top, bottom = (round(part * depth.shape[0]) for part in _HORIZON)
        lanes = depth[top:bottom].min(axis=0)
        lanes = lanes[: len(lanes) // _LANES * _LANES].reshape(_LANES, -1).min(axis=1).astype(np.float64)
        self.wander = 0.97 * self.wander + self.random.gauss(0, 0.12)
        ahead = lanes[_LANES // 2 - 2 : _LANES // 2 + 2].min()
        angles = np.linspace(-40, 40, _LANES)
        weights = np.minimum(lanes, 60) ** 2 + 1e-3
        open_to = float((weights * angles).sum() / weights.sum())
        if ahead < _NEAR:
            side = open_to if abs(open_to) > 4 else self.wander
            turn = math.copysign(6, side)
        else:
            turn = open_to * 0.12 + self.wander
        return {
            "MOVE_FORWARD": 1,
            "USE": len(self.track) % 12 == 0 and ahead < _NEAR,
            "TURN_LEFT_RIGHT_DELTA": _limited(turn),
        }


def _limited(turn: float) -> float:
    return max(-_MAX_TURN, min(_MAX_TURN, turn))
