"""Small real videos with sound at known times, made by ffmpeg."""

import subprocess
from pathlib import Path

SOUND = "0.5*sin(2*PI*1000*t)*between(mod(t,4),2,3)"
"""A tone of 1000 Hz in the third second of every four, and silence."""


def sounding_video(
    path: Path,
    *,
    seconds: float = 10,
    sound: str | None = SOUND,
    sound_seconds: float | None = None,
    rate: int = 48_000,
    layout: str = "stereo",
    codec: str = "aac",
    offset: float = 0.0,
    filters: str = "anull",
    options: tuple[str, ...] = (),
) -> Path:
    """Test pictures at 15 fps, 64 × 48, and one sound on all channels.

    Args:
        sound: ffmpeg's expression of the time t. None for a video without sound.
        sound_seconds: length of the sound, where it is not that of the pictures.
        offset: of the sound, in seconds.
        filters: what is done to the sound.
        options: more output options.
    """
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
    command += ["-f", "lavfi", "-i", f"testsrc2=s=64x48:r=15:d={seconds}"]
    if sound is not None:
        length = seconds if sound_seconds is None else sound_seconds
        command += ["-itsoffset", str(offset), "-f", "lavfi", "-i", f"aevalsrc='{sound}':s={rate}:d={length}"]
        mix = f"pan={layout}|" + "|".join(f"c{channel}=c0" for channel in range(_CHANNELS[layout]))
        command += ["-filter_complex", f"[1:a]{mix},{filters}[a]", "-map", "[a]", "-c:a", codec]
        command += ["-strict", "-2"]  # for Vorbis
    command += ["-map", "0:v", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30"]
    subprocess.run([*command, "-bitexact", *options, str(path)], check=True)
    return path


_CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8}


def unknown_codec(video: Path) -> Path:
    """Gives the sound of a .mkv, which is PCM, a codec that nobody knows. Returns the video."""
    data = video.read_bytes()
    assert data.count(b"A_PCM/INT/LIT") == 1
    video.write_bytes(data.replace(b"A_PCM/INT/LIT", b"A_NIX/INT/LIT"))
    return video
