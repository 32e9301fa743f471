"""A game of Doom (Freedoom's maps, ViZDoom's engine) as 30 pictures a second, its sound, and what happens in them."""

import contextlib
import shlex
import shutil
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lolhl.errors import ToolMissing, UsageError
from tests.samples.player import BUTTONS, STYLES, Player, enemies

FPS = 30
SOUND_RATE = 22_050  # samples a second: a whole number of them in each tic
_TICS = 35  # the game's own steps, a second
_TIC_SAMPLES = SOUND_RATE // _TICS
_SEEN = FPS  # pictures for which an enemy counts as being there after it left the screen
_DEATHMATCH = "-host 1 -deathmatch -nomonsters +sv_forcerespawn 1 +sv_respawnprotect 1 +sv_weaponstay 1 +sv_noexit 1"
_CAMPAIGN = "-skill 3 +sv_noexit 1"
_starting = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is played, and how.

    Attributes:
        scenario: "deathmatch" against bots, or "campaign": alone against the map's monsters, until one is dead.
        bots: how many, in a deathmatch.
        style: the player's, one of `player.STYLES`.
    """

    scenario: Literal["deathmatch", "campaign"] = "deathmatch"
    bots: int = 3
    style: str = "hunter"


@dataclass(frozen=True)
class Moment:
    """One picture, uint8 [height, width, 3], and what has happened since the one before.

    `damage` is in health points, dealt to and taken from enemies on the screen; `decisive` says
    that a player died of it. `pressed` are the buttons until the next picture.
    """

    picture: npt.NDArray[np.uint8]
    damage: float
    decisive: bool
    pressed: Sequence[float]


def play(place: str, *, seed: int, size: tuple[int, int], rules: Rules = Rules()) -> Generator[Moment, None, None]:
    """A scripted player among enemies, until the caller has seen enough or the game is over.

    The game goes on by 35 tics in each second of 30 pictures: picture n shows tic floor(n · 35 / 30).

    Args:
        place: "wad/map", as "freedoom2/map08".
        size: width and height, one of ViZDoom's screen resolutions.

    Raises:
        ToolMissing: ViZDoom is not installed.
        UsageError: ViZDoom has no such resolution.
    """
    vizdoom = _vizdoom()
    game = vizdoom.DoomGame()
    game.set_screen_resolution(_resolution(size))
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_render_hud(True)
    game.set_render_messages(True)
    game.set_depth_buffer_enabled(True)
    game.set_labels_buffer_enabled(True)
    with _running(game, place, seed, rules):
        yield from _moments(game, vizdoom.GameVariable, Player(seed, STYLES[rules.style]))


def listen(place: str, *, seed: int, rules: Rules, pressed: Sequence[Sequence[float]]) -> npt.NDArray[np.int16]:
    """What the game that `play` gave sounds like: int16 [samples, 2], as long as its pictures are shown.

    The game is played again with the same buttons. A game that sounds draws some pixels otherwise than one that
    does not, and takes longer: so the one is looked at and the other listened to.

    Args:
        place, seed, rules: as for `play`.
        pressed: the buttons of each moment that was seen.
    """
    vizdoom = _vizdoom()
    game = vizdoom.DoomGame()
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_screen_format(vizdoom.ScreenFormat.GRAY8)
    game.set_render_hud(False)
    game.set_audio_buffer_enabled(True)
    game.set_audio_sampling_rate(vizdoom.SamplingRate.SR_22050)
    game.set_audio_buffer_size(1)
    game.add_game_args("+snd_efx 0")
    with _running(game, place, seed, rules):
        tics = list(_heard(game, pressed))
    return np.concatenate([np.zeros((0, 2), dtype=np.int16), *tics])


def _heard(game: Any, pressed: Sequence[Sequence[float]]) -> Iterator[npt.NDArray[np.int16]]:
    """The sound of each tic: int16 [630, 2]. Silence where the game is over."""
    for number, buttons in enumerate(pressed):
        for _ in range(_tics(number)):
            state = game.get_state()
            yield np.zeros((_TIC_SAMPLES, 2), dtype=np.int16) if state is None else state.audio_buffer.copy()
            if state is not None:
                game.make_action(list(buttons), 1)


def _tics(number: int) -> int:
    """How many tics go by from picture `number` to the next one."""
    return (number + 1) * _TICS // FPS - number * _TICS // FPS


def _vizdoom() -> ModuleType:
    try:
        import vizdoom
    except ImportError as error:
        raise ToolMissing("ViZDoom is missing: install it (pip install vizdoom)") from error
    module: ModuleType = vizdoom
    return module


def _resolution(size: tuple[int, int]) -> Any:
    resolution = getattr(_vizdoom().ScreenResolution, f"RES_{size[0]}X{size[1]}", None)
    if resolution is None:
        raise UsageError(f"size {size[0]}x{size[1]} is none of ViZDoom's: give 640x360, 1280x720, 1920x1080 …")
    return resolution


@contextlib.contextmanager
def _running(game: Any, place: str, seed: int, rules: Rules) -> Iterator[None]:
    """Starts the game on a map, among bots or monsters; the block's end ends it."""
    vizdoom = _vizdoom()
    wad, level = place.split("/")
    in_package = Path(vizdoom.__file__ or "").parent / f"{wad}.wad"
    if in_package.exists():
        game.set_doom_game_path(str(in_package))
    else:
        game.set_doom_scenario_path(str(Path(vizdoom.scenarios_path) / f"{wad}.wad"))
    game.set_doom_map(level)
    game.set_seed(seed)
    game.set_window_visible(False)
    game.set_mode(vizdoom.Mode.PLAYER)
    game.set_available_buttons([getattr(vizdoom.Button, button) for button in BUTTONS])
    game.add_game_args(_DEATHMATCH if rules.scenario == "deathmatch" else _CAMPAIGN)
    with tempfile.TemporaryDirectory() as folder:
        game.set_doom_config_path(f"{folder}/vizdoom.ini")
        game.set_vizdoom_path(_mortal(Path(vizdoom.__file__ or "").parent / "vizdoom", Path(folder)))
        # The engine leaves a folder where it is started.
        with _starting, contextlib.chdir(folder):
            game.init()
        try:
            if rules.scenario == "deathmatch":
                for _ in range(rules.bots):
                    game.send_game_command("addbot")
            yield
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
        now = np.array([game.get_game_variable(counter) for counter in counted])
        dealt, taken, frags, deaths = now - before
        before = now
        if enemies(state.labels):
            seen = number
        # Slime and falls hurt too: only what comes with an enemy on the screen is a fight.
        fighting = number - seen < _SEEN
        position = game.get_game_variable(variable.POSITION_X), game.get_game_variable(variable.POSITION_Y)
        pressed = player.act(state.labels, state.depth_buffer, position)
        decisive = bool(fighting and (frags > 0 or deaths > 0))
        yield Moment(state.screen_buffer, fighting * (dealt + taken), decisive, pressed)
        game.make_action(pressed, _tics(number))
        number += 1
