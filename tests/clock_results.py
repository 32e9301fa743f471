"""What `lolhl clock` leaves, for tests that do without reading pictures."""

from collections.abc import Sequence

from lolhl import layout, manifest
from lolhl.manifest import Manifest
from lolhl.matches.clock import ClockGame, Stretch
from lolhl.results import Clock, Vod
from lolhl.storage import Root
from tests.results import store


def shown_games(root: Root, vod: str, games: Sequence[tuple[float, float]]) -> Manifest[Clock]:
    """Stores that a VOD shows games from and until these seconds."""
    stored = manifest.load(root, layout.vod(vod), Vod)
    shown = [ClockGame(start, stop, (Stretch(start, 2, stop - start, 90),)) for start, stop in games]
    clock = Clock(vod=vod, looks=360, readings=180 if games else 0, games=shown)
    return store(root, layout.clock(vod), clock, inputs={layout.vod(vod): stored.content_digest()})
