"""The games of labelled VODs, for a dataset that holds out whole games."""

from dataclasses import dataclass

from lolhl import layout, manifest
from lolhl.errors import DatasetError, MissingInput
from lolhl.labels.spans import Span
from lolhl.results import Vod
from lolhl.stages.known_games import stored_clock
from lolhl.storage import Root


@dataclass(frozen=True)
class VodGames:
    """The games of a VOD in order of time, and the digest of what says so."""

    games: tuple[Span, ...]
    digest: str


def games_to_split(root: Root, vod: str) -> VodGames:
    """The games that a VOD shows.

    Raises:
        MissingInput: its clock was not read, or not since the VOD was stored.
        DatasetError: it shows none.
    """
    stored = manifest.find(root, layout.vod(vod), Vod)
    clock = stored_clock(root, stored) if stored else None
    if clock is None:
        command = layout.command(layout.clock(vod))
        raise MissingInput(f"--holdout games: nobody knows the games of VOD {vod}: run `{command}` first")
    games = tuple(Span(game.start, game.stop) for game in clock.result.games if game.start < game.stop)
    if not games:
        raise DatasetError(
            f"--holdout games: the clock of VOD {vod} shows no game: leave the VOD out, or hold out chunks or vods"
        )
    return VodGames(games, clock.content_digest())
