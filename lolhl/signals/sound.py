"""sound: what a VOD sounds like round each instant, float16 [T, 122]. loudness: how loud it is, float16 [T, 2].

Sound is cut into windows of 40 ms, one every 20 ms. Of each window's spectrum the power in 40 mel bands is taken, in
decibels. A window belongs to the instant in whose time its middle lies. Of an instant's windows the mean, the
deviation and the highest value of each band are kept.

An instant is known where at least half of its time has sound. The others have NaN in their rows: those of a video
without sound, of gaps, and of stretches that were muted: by Twitch, which says so, or by anybody else, which shows as
silence without any noise for 10 s.

Bands, windows and loudness are written out here, in NumPy, since the libraries cost more than they give: see
tests/benchmarks/sound.py.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy import fft, sparse

from lolhl.signals.source import Source, video_of
from lolhl.tracks.filling import End, Gap, Measured, Taken, track_end
from lolhl.tracks.recipe import Layout
from lolhl.tracks.rows import PART, Rows
from lolhl.tracks.track import Track
from lolhl.vod import decode
from lolhl.vod.ordered_workers import in_order
from lolhl.vod.sound import Samples, SoundReader
from lolhl.vod.view import View

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

_QUIETEST = 1e-10  # power that is added, so that silence has -100 dB
_WAITING = 64  # batches of rows of a part that may wait
_KNOWN = 0.5  # share of an instant's windows that it needs
_NOISELESS = -85.0  # dB: dithered 16 bits have -89 here, and no room or game is so quiet
_MUTED = 10  # seconds without noise that are no pause any more


@dataclass(frozen=True)
class SoundSettings:
    """How sound is measured.

    Attributes:
        bands: mel bands.
        lowest, highest: where the bands begin and end, in Hz. Bands beyond half a file's rate are silent.
        window: length of a window, in seconds.
        step: from one window to the next, in seconds. Half an instant, where the grid is so fine.
    """

    bands: int = 40
    lowest: float = 50.0
    highest: float = 8000.0
    window: float = 0.04
    step: float = 0.02


@dataclass(frozen=True)
class SoundSignal:
    """See `lolhl.signals.Signal`. Columns: 40 means, 40 deviations, 40 highest values, and those of loudness."""

    fps: Fraction
    sound: SoundSettings = SoundSettings()
    name = "sound"
    version = 2
    engine = ""
    view: View | None = None

    @property
    def settings(self) -> dict[str, float]:
        return asdict(self.sound)

    @property
    def width(self) -> int:
        return 3 * self.sound.bands + 2

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:  # noqa: ARG002
        """Yields the rows of a gap. Raises VideoError where the video cannot be opened, else as `video_of`."""
        video = video_of(source, self.name)
        ending = decode.length(video.path, self.fps)
        frames = ending.count(self.fps)
        muted = [(span.start, span.stop) for span in video.made.result.muted]
        parts = _parts(gap.first, frames if gap.stop is None else gap.stop)
        with closing(SoundReader(video.path)) as reader:
            if not reader.can_seek():  # each part would read all before
                parts = parts[:1] and [range(gap.first, parts[-1].stop)]
        batches = in_order(
            lambda: closing(SoundReader(video.path)),
            parts,
            lambda reader, part: self._part(reader, part, frames),
            workers=decode.cores(),
            waiting=_WAITING,
        )
        with closing(batches):
            for rows in batches:
                for start, stop in muted:
                    rows.values[(rows.times >= start) & (rows.times < stop)] = np.nan
                yield rows
        return End(frames, float(ending.end or 0), ending.problem)

    def _part(self, reader: SoundReader, part: range, frames: int) -> Generator[Rows, None, None]:
        """Yields the rows of these instants. Those round them are heard too, to see how long a silence is."""
        least = ceil(_MUTED * self.fps)
        wide = range(max(0, part.start - least + 1), min(frames, part.stop + least - 1))
        first = wide.start
        for rows in _without_muted(self._heard(reader, wide), least):
            if len(within := rows[max(0, part.start - first) : max(0, part.stop - first)]):
                yield within
            first += len(rows)

    def _heard(self, reader: SoundReader, part: range) -> Iterator[Rows]:
        """Yields the rows of these instants, muted or not."""
        begin = max(0.0, float(part.start / self.fps) - self.sound.window) if reader.can_seek() else 0.0
        windows = Windows(self.sound, self.fps)
        done = part.start
        for samples in reader.samples(begin, float(part.stop / self.fps) + self.sound.window):
            for numbers, values in windows.add(samples):
                keep = (numbers >= done) & (numbers < part.stop)
                if keep.any():
                    last = int(numbers[keep][-1])
                    yield self._rows(done, last + 1, numbers[keep], values[keep])
                    done = last + 1
        if done < part.stop:
            numbers, values = windows.rest()
            keep = (numbers >= done) & (numbers < part.stop)
            yield self._rows(done, part.stop, numbers[keep], values[keep])

    def _rows(self, first: int, stop: int, numbers: Numbers, values: Floats) -> Rows:
        rows = np.full((stop - first, self.width), np.nan, dtype=np.float16)
        rows[numbers - first] = values
        return Rows(np.arange(first, stop) * self.fps.denominator / self.fps.numerator, rows)


def _without_muted(batches: Iterable[Rows], least: int) -> Iterator[Rows]:
    """Yields the rows of `sound`, in order, as soon as it is decided which of them are muted. Those are unknown.

    Args:
        batches: rows, some at a time. None is empty.
        least: instants without noise in a row that are muted.
    """
    recent, done = Rows(np.empty(0), np.empty((0, 1), np.float16)), 0  # rows, and how many of them were yielded
    for rows in batches:
        recent = Rows.join([recent, rows]) if len(recent) else rows
        if (stop := len(recent) - least + 1) > done:
            yield _hiding_muted(recent, least)[done:stop]
            recent, done = recent[max(0, stop - least) :], min(stop, least)
    yield _hiding_muted(recent, least)[done:]


def _hiding_muted(rows: Rows, least: int) -> Rows:
    """A copy of rows that follow each other, in which muted ones are unknown."""
    noiseless = rows.values[:, -1] < _NOISELESS
    borders = np.flatnonzero(np.diff(noiseless, prepend=False, append=False)).reshape(-1, 2)
    values = rows.values.copy()
    for start, stop in borders:
        if stop - start >= least:
            values[start:stop] = np.nan
    return Rows(rows.times, values)


@dataclass(frozen=True)
class LoudnessSignal:
    """See `lolhl.signals.Signal`. Columns: the loudness of each instant, and of its loudest window; in decibels.

    They are the last columns of `sound`, and are taken from its track where that is stored.
    """

    fps: Fraction
    name = "loudness"
    version = 2
    engine = ""
    view: View | None = None

    @property
    def settings(self) -> dict[str, float]:
        return self._sound.settings

    @property
    def _sound(self) -> SoundSignal:
        return SoundSignal(self.fps)

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:
        """Yields the rows of a gap. Raises errors as `SoundSignal.measure` does."""
        from lolhl.signals import stored_track

        if stored := stored_track(self._sound, source, layout):
            yield from _loudness(_stored_rows(stored, gap))
            return track_end(stored.made)
        taken = Taken(self._sound.measure(source, layout, gap))
        yield from _loudness(taken)
        return taken.end


def _stored_rows(track: Track, gap: Gap) -> Iterator[Rows]:
    stop = len(track) if gap.stop is None else gap.stop
    for first in range(gap.first, stop, PART):
        numbers = np.arange(first, min(first + PART, stop))
        yield Rows(track.times[numbers], track[numbers])


def _loudness(batches: Iterable[Rows]) -> Iterator[Rows]:
    for rows in batches:
        yield Rows(rows.times, np.ascontiguousarray(rows.values[:, -2:]))


def _parts(first: int, stop: int) -> list[range]:
    """The instants in parts that end where stored parts do."""
    edges = [first, *range((first // PART + 1) * PART, stop, PART), stop]
    return [range(begin, end) for begin, end in pairwise(edges) if begin < end]


class Windows:
    """Turns samples into the values of instants, in order. Samples that follow each other are one run.

    Windows lie on a grid of their own, counted from time 0, so that values do not depend on where reading began.
    """

    def __init__(self, settings: SoundSettings, fps: Fraction) -> None:
        self._settings, self._fps = settings, fps
        self._run = Samples(0, 0, np.empty(0, np.float32))
        self._numbers: Numbers = np.empty(0, np.int64)  # of the instants of the windows that wait
        self._values: Floats = np.empty((0, settings.bands + 1), np.float32)

    def add(self, samples: Samples) -> Iterator[tuple[Numbers, Floats]]:
        """Takes samples later than all before. Yields the numbers of known instants, and their values."""
        run = self._run
        if (samples.rate, samples.first) == (run.rate, run.stop):
            samples = Samples(run.first, run.rate, np.concatenate([run.values, samples.values]))
        bands = _bands(self._settings, samples.rate, self._fps)
        begin = -(-samples.first // bands.step)  # number of the first window that has all its samples
        count = (len(samples.values) - (begin * bands.step - samples.first) - bands.window) // bands.step + 1
        if count > 0:
            at = begin * bands.step - samples.first
            values = bands.measure(samples.values[at : at + (count - 1) * bands.step + bands.window])
            middles = np.arange(begin, begin + count) * bands.step + bands.window // 2
            numbers = middles * self._fps.numerator // (samples.rate * self._fps.denominator)
            self._numbers = np.concatenate([self._numbers, numbers])
            self._values = np.concatenate([self._values, values])
            after = (begin + count) * bands.step
            samples = Samples(after, samples.rate, samples.values[after - samples.first :])
        self._run = samples
        if len(self._numbers) and self._numbers[0] != self._numbers[-1]:
            whole = int(np.searchsorted(self._numbers, self._numbers[-1]))
            yield self._instants(whole, bands)

    def rest(self) -> tuple[Numbers, Floats]:
        """The numbers of the last known instants, and their values."""
        if not len(self._numbers):
            return self._numbers, np.empty((0, 3 * self._settings.bands + 2), np.float32)
        return self._instants(len(self._numbers), _bands(self._settings, self._run.rate, self._fps))

    def _instants(self, count: int, bands: "Bands") -> tuple[Numbers, Floats]:
        """The values of the instants of the first windows, which are then done with."""
        numbers, values = self._numbers[:count], self._values[:count]
        self._numbers, self._values = self._numbers[count:], self._values[count:]
        firsts = np.flatnonzero(np.diff(numbers, prepend=-1))
        sizes = np.diff(firsts, append=count)[:, None]
        means = np.add.reduceat(values, firsts) / sizes
        squares = (values - np.repeat(means, sizes[:, 0], axis=0)) ** 2
        deviations = np.sqrt(np.add.reduceat(squares, firsts) / sizes)
        highest = np.maximum.reduceat(values, firsts)
        power = np.add.reduceat(10 ** (values[:, -1] / 10), firsts) / sizes[:, 0]
        loudness = 10 * np.log10(power)
        columns = [means[:, :-1], deviations[:, :-1], highest[:, :-1], loudness[:, None], highest[:, -1:]]
        expected = bands.rate / bands.step / float(self._fps)
        known = sizes[:, 0] >= _KNOWN * expected
        return numbers[firsts][known], np.concatenate(columns, axis=1)[known].astype(np.float32)


@dataclass(frozen=True)
class Bands:
    """What is measured of windows at one rate.

    Attributes:
        rate: samples a second.
        window, step: in samples.
    """

    settings: SoundSettings
    rate: int
    window: int
    step: int

    def measure(self, samples: Floats) -> Floats:
        """The power in each band, and the loudness, in decibels: float32 [windows, bands + 1]."""
        windows = np.lib.stride_tricks.sliding_window_view(samples, self.window)[:: self.step]
        spectrum = fft.rfft(windows * self._taper, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        # Sparse, as a product of BLAS would take a thread on each core, which wait by spinning.
        return np.asarray(10 * np.log10((self._weights @ power.T).T + _QUIETEST), dtype=np.float32)

    @cached_property
    def _taper(self) -> Floats:
        """A Hann window, by which a sine of amplitude 1 has the power 1/2 in all."""
        taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        return np.asarray(taper * np.sqrt(2 / (self.window * (taper**2).sum())), dtype=np.float32)

    @cached_property
    def _weights(self) -> "sparse.csr_array":
        """Of each frequency in each band, and in loudness: float32 [bands + 1, frequencies].

        Bands are triangles that lie evenly on the mel scale 2595 log10(1 + f / 700) (O'Shaughnessy, Speech
        Communication, 1987), as in HTK. Loudness weights all frequencies as ITU-R BS.1770 does.
        """
        frequencies = np.arange(self.window // 2 + 1) * self.rate / self.window
        low, high = (_mel(np.array(hertz)) for hertz in (self.settings.lowest, self.settings.highest))
        edges = np.linspace(low, high, self.settings.bands + 2)
        place = (_mel(frequencies)[:, None] - edges[None]) / (edges[1] - edges[0])
        bands = np.clip(np.minimum(place[:, :-2], -place[:, 2:]), 0, None)
        return sparse.csr_array(np.concatenate([bands.T, k_weight(frequencies)[None]]).astype(np.float32))


@lru_cache(maxsize=16)
def _bands(settings: SoundSettings, rate: int, fps: Fraction) -> Bands:
    step = min(settings.step, 0.5 / float(fps))
    return Bands(settings, rate, max(2, round(settings.window * rate)), max(1, round(step * rate)))


def _mel(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(2595 * np.log10(1 + hertz / 700))


def k_weight(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The share of the power at each frequency that counts as loudness.

    The two filters of ITU-R BS.1770-4, annex 1, tables 1 and 2, given there for 48 kHz: a shelf of 4 dB from about
    1.7 kHz on, and a high pass at 38 Hz.
    """
    z = np.exp(-2j * np.pi * np.minimum(hertz, 24_000) / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    return np.asarray(np.abs(shelf * high_pass) ** 2)
