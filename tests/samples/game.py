"""A deathmatch of Doom (Freedoom's maps, ViZDoom's engine) as 30 pictures a second and what happens in them."""

import contextlib
import shlex
import shutil
import tempfile
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lolhl.errors import ToolMissing, UsageError
from tests.samples.player import BUTTONS, Player, enemies

FPS = 30
_TICS = 35  # the game's own steps, a second
_BOTS = 3
_SEEN = FPS  # pictures for which an enemy counts as being there after it left the screen
_RULES = "-host 1 -deathmatch -nomonsters +sv_forcerespawn 1 +sv_respawnprotect 1 +sv_weaponstay 1 +sv_noexit 1"
_starting = threading.Lock()


@dataclass(frozen=True)
class Moment:
    """One picture, uint8 [height, width, 3], and what has happened since the one before.

    `damage` is in health points, dealt to and taken from enemies on the screen; `decisive` says
    that somebody died of it.
    """

    picture: npt.NDArray[np.uint8]
    damage: float
    decisive: bool


def play(place: str, *, seed: int, size: tuple[int, int]) -> Generator[Moment, None, None]:
    """A scripted player among bots, until the caller has seen enough or the game is over.

    The game goes on by 35 tics in each second of 30 pictures: picture n shows tic floor(n · 35 / 30).

    Args:
        place: "wad/map", as "freedoom2/map08".
        size: width and height, one of ViZDoom's screen resolutions.

    Raises:
        ToolMissing: ViZDoom is not installed.
        UsageError: ViZDoom has no such resolution.
    """
    try:
        import vizdoom
    except ImportError as error:
        raise ToolMissing("ViZDoom is missing: install it (pip install vizdoom)") from error

    resolution = getattr(vizdoom.ScreenResolution, f"RES_{size[0]}X{size[1]}", None)
    if resolution is None:
        raise UsageError(f"size {size[0]}x{size[1]} is none of ViZDoom's: give 640x360, 1280x720, 1920x1080 …")
    wad, level = place.split("/")
    game = vizdoom.DoomGame()
    in_package = Path(vizdoom.__file__).parent / f"{wad}.wad"
    if in_package.exists():
        game.set_doom_game_path(str(in_package))
    else:
        game.set_doom_scenario_path(str(Path(vizdoom.scenarios_path) / f"{wad}.wad"))
    game.set_doom_map(level)
    game.set_seed(seed)
    game.set_screen_resolution(resolution)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_render_hud(True)
    game.set_render_messages(True)
    game.set_depth_buffer_enabled(True)
    game.set_labels_buffer_enabled(True)
    game.set_window_visible(False)
    game.set_mode(vizdoom.Mode.PLAYER)
    game.set_available_buttons([getattr(vizdoom.Button, button) for button in BUTTONS])
    game.add_game_args(_RULES)
    with tempfile.TemporaryDirectory() as folder:
        game.set_doom_config_path(f"{folder}/vizdoom.ini")
        game.set_vizdoom_path(_mortal(Path(vizdoom.__file__).parent / "vizdoom", Path(folder)))
        # The engine leaves a folder where it is started.
        with _starting, contextlib.chdir(folder):
            game.init()
        try:
            for _ in range(_BOTS):
                game.send_game_command("addbot")
            yield from _moments(game, vizdoom.GameVariable, Player(seed))
        finally:
            game.close()


def _mortal(engine: Path, folder: Path) -> str:
    """The engine's path, by way of a script that makes it end with us: else it outlives a killed parent."""
    if not shutil.which("setpriv"):
        return str(engine)
    script = folder / "vizdoom"
    script.write_text(f'#!/bin/sh\nexec setpriv --pdeathsig KILL {shlex.quote(str(engine))} "$@"\n')
    script.chmod(0o700)
    return str(script)


def _moments(game: Any, variable: Any, player: Player) -> Generator[Moment, None, None]:
    counted = (variable.DAMAGECOUNT, variable.DAMAGE_TAKEN, variable.FRAGCOUNT, variable.DEATHCOUNT)
    before = np.zeros(len(counted))
    seen = -_SEEN
    number = 0
    while (state := game.get_state()) is not None:
        now = np.array([game.get_game_variable(of) for of in counted])
        dealt, taken, frags, deaths = now - before
        before = now
        if enemies(state.labels):
            seen = number
        # Slime and falls hurt too: only what comes with an enemy on the screen is a fight.
        fighting = number - seen < _SEEN
        yield Moment(state.screen_buffer, fighting * (dealt + taken), bool(fighting and (frags > 0 or deaths > 0)))
        position = game.get_game_variable(variable.POSITION_X), game.get_game_variable(variable.POSITION_Y)
        tics = (number + 1) * _TICS // FPS - number * _TICS // FPS
        game.make_action(player.act(state.labels, state.depth_buffer, position), tics)
        number += 1
