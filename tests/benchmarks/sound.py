"""What it costs to listen: the tracks of sound beside that of pictures, of the same video.

    python -m tests.benchmarks.sound VIDEO      # some 3 minutes for 10 minutes of video on 2 cores

Where librosa or kaldi-native-fbank are installed, which are no part of the project, they compute the same bands too,
of noise.
"""

import argparse
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lolhl.signals.sound import Bands, SoundSettings
from lolhl.stages.download import DownloadConfig, download
from lolhl.stages.track import TrackConfig, track
from lolhl.storage import Root, open_root
from tests.benchmarks import result
from tests.benchmarks.result import Table

ROUNDS = 2
GOAL = 0.1  # of a pass over the pictures
SIGNALS = ("pictures", "sound", "loudness", "chat", "motion")
_PIECE = 4  # seconds of samples that are measured at once


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("video", type=Path)
    video = parser.parse_args().video
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
        root = open_root(f"{folder}/root")
        stored = download(root, str(video), DownloadConfig(chat=True), name="v").result
        configs = {name: TrackConfig(signal=name, source="video", decoder="cpu") for name in SIGNALS}
        ways: dict[str, Callable[[], object]] = {name: partial(_track, root, configs[name]) for name in SIGNALS}
        result.side_by_side(ways, 1)  # warms up
        timings = result.side_by_side(ways, ROUNDS)
    pictures = timings["pictures"]
    rows = [
        [
            signal,
            timing.wall,
            timing.cpu,
            stored.duration / timing.wall,
            timing.wall / pictures.wall,
            timing.cpu / pictures.cpu,
            "–" if signal not in ("sound", "loudness") else "met" if timing.cpu <= GOAL * pictures.cpu else "missed",
        ]
        for signal, timing in timings.items()
    ]
    columns = ["signal", "wall s", "user CPU s", "x real time", "wall / pictures", "CPU / pictures", "goal: 0.1"]
    tables = [Table(f"{stored.duration:g} s of {stored.width} × {stored.height}, tracks on 3 fps", columns, rows)]
    if libraries := _libraries():
        title = "40 mel bands of 600 s of noise at 48 kHz (kaldi-native-fbank: 16 kHz)"
        tables.append(Table(title, ["by", "user CPU s", "first use in a new process, wall s"], libraries))
    result.write(
        "sound",
        tables,
        "python -m tests.benchmarks.sound VIDEO",
        f"""
Runs of each: {ROUNDS}, in turn, after one that is not counted; the faster counts. Pictures are decoded from the video
and looked at by the default backbone; sound is decoded from the same file. Nothing else is stored before. The second
table was measured once.""",
    )


def _track(root: Root, config: TrackConfig) -> None:
    """Makes a track, of which nothing is stored yet. Loudness would be taken from the track of sound."""
    for stat in list(root.list("tracks/")):
        root.delete(stat.key)
    track(root, "v", config)


def _libraries() -> list[list[object]]:
    noise = np.random.default_rng(0).standard_normal(600 * 48_000).astype(np.float32)
    rows: list[list[object]] = []
    for name, module, measure in (
        ("lolhl", "lolhl.signals.sound", _own),
        ("librosa", "librosa", _librosa),
        ("kaldi-native-fbank", "kaldi_native_fbank", _kaldi),
    ):
        try:
            importlib.import_module(module)
        except ImportError:
            continue
        measure(noise[: 48_000 * _PIECE])
        with result.measured() as timing:
            measure(noise)
        code = (
            f"from tests.benchmarks import sound as s; import numpy as np; s.{measure.__name__}(np.zeros(96000, 'f4'))"
        )
        with result.measured() as begun:
            subprocess.run([sys.executable, "-c", code], check=True)
        rows.append([name, timing.cpu, begun.wall])
    return rows if len(rows) > 1 else []


Samples = npt.NDArray[np.float32]


def _own(samples: Samples) -> None:
    settings = SoundSettings()
    bands = Bands(settings, 48_000, 1920, 960)
    for first in range(0, len(samples), 48_000 * _PIECE):
        bands.measure(samples[first : first + 48_000 * _PIECE])


def _librosa(samples: Samples) -> None:
    librosa: Any = importlib.import_module("librosa")
    options = {"sr": 48_000, "n_fft": 1920, "hop_length": 960, "n_mels": 40, "fmin": 50, "fmax": 8000, "center": False}
    for first in range(0, len(samples), 48_000 * _PIECE):
        power = librosa.feature.melspectrogram(y=samples[first : first + 48_000 * _PIECE], **options)
        librosa.power_to_db(power)


def _kaldi(samples: Samples) -> None:
    kaldi: Any = importlib.import_module("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither = 16_000, 0
    options.frame_opts.frame_length_ms, options.frame_opts.frame_shift_ms = 40, 20
    options.mel_opts.num_bins = 40
    bank = kaldi.OnlineFbank(options)
    thirds = samples[::3]
    for first in range(0, len(thirds), 16_000 * _PIECE):
        bank.accept_waveform(16_000, thirds[first : first + 16_000 * _PIECE])
    bank.input_finished()
    np.stack([bank.get_frame(number) for number in range(bank.num_frames_ready)])


if __name__ == "__main__":
    main()
