"""A signal is something that can be measured of a VOD at the instants of a grid.

It makes the rows of a track from a video or a frame set. All signals share how rows are stored, resumed after a kill
and read again, see `lolhl.tracks`. Each signal has a file, and a line in `SIGNALS`. To add one, write a class like
`Signal` and name it below.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lolhl.errors import UsageError
from lolhl.signals.source import Source
from lolhl.tracks.filling import Filling, Gap, Measured, track_end, with_progress
from lolhl.tracks.recipe import Layout, Recipe
from lolhl.tracks.track import Track
from lolhl.vod.view import View

if TYPE_CHECKING:  # torch takes seconds to import, and not every signal needs it
    from lolhl.backbones.encoder import Encoder


class Signal(Protocol):
    """Something that can be measured of a VOD."""

    @property
    def name(self) -> str:
        """Its name in `SIGNALS`, and in the name of the track's folder."""

    @property
    def version(self) -> int:
        """The version of its code. Raise it whenever the code gives other values than before."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON values that decide the values of the track, such as a digest of weights."""

    @property
    def engine(self) -> str:
        """The library and the number format that compute the values. It is empty where the values are exact."""

    @property
    def fps(self) -> Fraction:
        """Instants of the grid in a second."""

    @property
    def view(self) -> View | None:
        """The view of the pictures that it is measured from. None for a signal that needs no pictures."""

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:
        """Yields the rows of a gap in order, some at a time (values float16 [n, D]). Returns how the VOD ends."""


@runtime_checkable
class ReadsMore(Protocol):
    """A signal that reads more than its source. Its track is made anew when what it reads has changed."""

    def inputs(self, source: Source) -> Mapping[str, str]:
        """Key → digest of what it reads besides the source."""


def _pictures(view: View, encoder: "Callable[[], Encoder]") -> Signal:
    from lolhl.signals.pictures import PictureSignal

    return PictureSignal.open(encoder(), view)


def _sound(view: View, _: "Callable[[], Encoder]") -> Signal:
    from lolhl.signals.sound import SoundSignal

    return SoundSignal(view.fps)


def _loudness(view: View, _: "Callable[[], Encoder]") -> Signal:
    from lolhl.signals.sound import LoudnessSignal

    return LoudnessSignal(view.fps)


def _chat(view: View, _: "Callable[[], Encoder]") -> Signal:
    from lolhl.signals.chat import ChatSignal

    return ChatSignal(view.fps)


def _motion(view: View, _: "Callable[[], Encoder]") -> Signal:
    from lolhl.signals.motion import MotionSignal

    return MotionSignal(view)


def _events(view: View, _: "Callable[[], Encoder]") -> Signal:
    from lolhl.signals.events import EventsSignal

    return EventsSignal(view.fps)


def _clock(view: View, _: "Callable[[], Encoder]") -> Signal:
    from lolhl.signals.clock import ClockSignal

    return ClockSignal(view.fps)


Open = Callable[[View, "Callable[[], Encoder]"], Signal]

SIGNALS: dict[str, Open] = {
    "pictures": _pictures,  # features of a backbone
    "sound": _sound,  # power in mel bands
    "loudness": _loudness,
    "chat": _chat,  # messages a second
    "motion": _motion,  # differences of pictures
    "events": _events,  # kills and objectives of the game, as Riot records them
    "clock": _clock,  # the game's clock, as the pictures show it
}
"""Name → function that opens the signal for a view. It may call the second argument to get the encoder."""


def open_signal(name: str, view: View, encoder: "Callable[[], Encoder]") -> Signal:
    """Opens the signal of this name.

    Args:
        name: one of `SIGNALS`.
        view: the grid and the view of its pictures.
        encoder: returns the backbone. It is called only where a signal needs it.

    Raises:
        UsageError: there is no such signal.
    """
    if name not in SIGNALS:
        raise UsageError(f"{name}: no such signal; there are {', '.join(SIGNALS)}")
    return SIGNALS[name](view, encoder)


def inputs_of(signal: Signal, source: Source) -> dict[str, str]:
    """Key → digest of all that a signal reads."""
    more = signal.inputs(source) if isinstance(signal, ReadsMore) else {}
    return {**source.inputs, **more}


def stored_track(signal: Signal, source: Source, layout: Layout) -> Track | None:
    """The track that is stored whole, computed by this machine's engine or else by another one. None without one.

    No video is fetched for it.
    """
    return Track.open(source.root, _recipe(signal, source, layout, signal.engine))


def fill_track(
    signal: Signal, source: Source, layout: Layout, measure: Callable[[Gap], Measured] | None = None
) -> Filling:
    """The track that is to be filled. The signal measures its rows, unless another function is given."""
    decoder = source.decoder(layout, signal.view) if signal.view else ""
    engine = "-".join(name for name in (signal.engine, decoder) if name)
    recipe = _recipe(signal, source, layout, engine)
    measure = measure or (lambda gap: signal.measure(source, layout, gap))
    return Filling(source.root, recipe, source.kind, source.seconds, measure)


def make_track(signal: Signal, source: Source, layout: Layout, *, force: bool = False) -> Track:
    """Returns the track. It is computed and stored unless that was done before.

    Args:
        force: compute it anew.

    Raises:
        LolhlError: the source cannot be read or measured.
    """
    if not force and (track := stored_track(signal, source, layout)):
        return track
    filling = fill_track(signal, source, layout)
    if force:
        filling.clear()
    return filling.track()


def measured(signal: Signal, source: Source, layout: Layout, track: Track | None, *, store: bool) -> Measured:
    """Yields the rows of a track in order. They are read where they are stored, else measured.

    Args:
        signal: what is measured.
        source: what it is measured from.
        layout: of the track.
        track: what `stored_track` returns.
        store: whether to store what is measured.
    """
    if track:
        yield from track.rows()
        return track_end(track.made)
    if store:
        return (yield from fill_track(signal, source, layout).rows())
    rows = signal.measure(source, layout, Gap(0, None))
    label = _recipe(signal, source, layout, "").label
    return (yield from with_progress(label, source.seconds, rows))


def _recipe(signal: Signal, source: Source, layout: Layout, engine: str) -> Recipe:
    return Recipe(
        vod=source.vod,
        signal=signal.name,
        version=signal.version,
        settings=signal.settings,
        inputs=inputs_of(signal, source),
        fps=signal.fps,
        layout=layout,
        engine=engine,
    )
