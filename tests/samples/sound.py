"""What a streamer's microphone and music add to the game's sound. All of it is made by numbers; nothing is recorded."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lolhl.labels.spans import Span
from tests.samples.game import SOUND_RATE

Wave = npt.NDArray[np.float32]  # [samples, 2] or [samples], full scale is -1 to 1

_CHORDS = ((0, 3, 7), (5, 8, 12), (-2, 2, 5), (3, 7, 10), (-4, 0, 3), (7, 10, 14))  # semitones above the key
_HARMONICS = 12  # of a shouting voice
_LEAST_FORCE, _MOST_FORCE = 0.35, 0.9  # of a shout, of full scale


def mix(game: npt.NDArray[np.int16], *, seed: int, music: float = 1.0, shouts: float = 3.0) -> npt.NDArray[np.int16]:
    """The game under music, and with shouts at moments that have nothing to do with it: int16 [samples, 2].

    Args:
        game: int16 [samples, 2], 22,050 a second.
        seed: of the music, and of when somebody shouts.
        music: how loud; 1 is about as loud as a game that is quiet.
        shouts: how many a minute, on average.
    """
    rng = np.random.default_rng([seed, 1])
    whole = game.astype(np.float32) / 32768
    if music:
        whole += music * _music(len(game), rng)[:, None]
    for span, shout in _shouts(len(game) / SOUND_RATE, shouts, np.random.default_rng([seed, 2])):
        first = round(span.start * SOUND_RATE)
        part = whole[first : first + len(shout)]
        part += shout[: len(part), None]
    limited: npt.NDArray[np.int16] = (np.tanh(whole) * 32767).astype(np.int16)
    return limited


def shouts(seconds: float, *, seed: int, a_minute: float) -> npt.NDArray[np.int16]:
    """Nothing but shouts: int16 [samples, 2]."""
    silence = np.zeros((round(seconds * SOUND_RATE), 2), dtype=np.int16)
    return mix(silence, seed=seed, music=0.0, shouts=a_minute)


def _music(samples: int, rng: np.random.Generator) -> Wave:
    """One piece after another, each of 40 to 150 s, with its own tempo, key and loudness, and pauses between them."""
    whole = np.zeros(samples, dtype=np.float32)
    at = 0
    while at < samples:
        length = round(rng.uniform(40, 150) * SOUND_RATE)
        bars = _bars(rng)
        piece = np.resize(bars, length) * rng.uniform(0.05, 0.13)
        fade = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / (2 * SOUND_RATE))
        part = whole[at : at + length]
        part += (piece * fade)[: len(part)].astype(np.float32)
        at += length + round(rng.uniform(0, 12) * SOUND_RATE)
    return whole


def _bars(rng: np.random.Generator) -> Wave:
    """Four bars with a chord and four beats each, loudest about 1."""
    beat = round(60 / rng.uniform(75, 150) * SOUND_RATE)
    key = 110 * 2 ** (rng.integers(0, 12) / 12)
    drums = rng.uniform(0.2, 1.2)
    t = np.arange(4 * beat) / SOUND_RATE
    since = np.arange(4 * beat) % beat / SOUND_RATE  # the last beat
    kick = np.sin(2 * np.pi * (50 * since + 8 * (1 - np.exp(-30 * since)))) * np.exp(-12 * since)
    hat = rng.standard_normal(4 * beat) * np.exp(-60 * (np.arange(4 * beat) % (beat // 2) / SOUND_RATE))
    bars = []
    for _ in range(4):
        tones = _CHORDS[rng.integers(0, len(_CHORDS))]
        overtones = itertools.product(tones, (1, 2, 3))
        chord = sum(np.sin(2 * np.pi * key * 2 ** (tone / 12) * times * t) / times for tone, times in overtones)
        melody = np.sin(2 * np.pi * key * 4 * 2 ** (rng.choice(tones) / 12) * t) * np.exp(-4 * since)
        bars.append(0.25 * chord + 0.3 * melody + drums * (0.6 * kick + 0.15 * hat))
    return np.concatenate(bars).astype(np.float32)


def _shouts(seconds: float, a_minute: float, rng: np.random.Generator) -> Iterator[tuple[Span, Wave]]:
    """Somebody shouts for 0.4 to 2.5 s, as often as chance will have it."""
    at = 0.0
    while a_minute and (at := at + rng.exponential(60 / a_minute)) < seconds:
        length = rng.uniform(0.4, 2.5)
        yield Span(at, at + length), _shout(length, rng)
        at += length


def _shout(seconds: float, rng: np.random.Generator) -> Wave:
    """A voice that rises and falls: harmonics of a gliding pitch, stronger round two formants, with some breath."""
    t = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    pitch = rng.uniform(140, 380) * (1 + rng.uniform(0.05, 0.4) * np.sin(np.pi * t / seconds))
    pitch *= 1 + 0.02 * np.sin(2 * np.pi * rng.uniform(4, 7) * t)
    phase = 2 * np.pi * np.cumsum(pitch) / SOUND_RATE
    formants = rng.uniform(400, 900), rng.uniform(1000, 2400)
    voice = np.zeros(len(t))
    for harmonic in range(1, _HARMONICS + 1):
        tone = float(pitch.mean()) * harmonic
        strength = sum(math.exp(-(((tone - formant) / 300) ** 2)) for formant in formants) + 0.1
        voice += strength * np.sin(harmonic * phase)
    voice += 0.3 * rng.standard_normal(len(t))
    envelope = np.minimum(1, np.minimum(t / 0.05, (seconds - t) / 0.15))
    wave: Wave = (voice / np.abs(voice).max() * envelope * rng.uniform(_LEAST_FORCE, _MOST_FORCE)).astype(np.float32)
    return wave
