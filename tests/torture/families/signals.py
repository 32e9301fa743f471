"""What is measured of odd sound, chat and pictures: through download and track.

Each signal has the instants of the video or says in a line why not, and gives the same when it is measured again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.torture.families.values import HOSTILE, TEXTS, damage_bytes, mutate
from tests.torture.families.videos import X264
from tests.torture.sandbox import Sandbox, difference

SIGNALS = ("sound", "loudness", "chat", "motion")
SECONDS = 6

# Ending, codec and rate of sound that a video may have.
SOUNDS: Sequence[tuple[str, Sequence[str]]] = (
    ("mp4", ("-c:a", "aac")),
    ("mp4", ("-c:a", "aac", "-ar", "8000")),
    ("mp4", ("-c:a", "aac", "-ac", "8")),
    ("mp4", ("-c:a", "libmp3lame")),
    ("mkv", ("-c:a", "libopus")),
    ("mkv", ("-c:a", "libvorbis")),
    ("mkv", ("-c:a", "flac", "-ar", "96000")),
    ("mkv", ("-c:a", "pcm_s16le", "-ac", "6")),
    ("mkv", ("-c:a", "pcm_u8", "-ar", "4000")),
    ("mkv", ("-c:a", "pcm_f64le")),
    ("mkv", ("-c:a", "ac3")),
    ("mkv", ("-c:a", "mp2")),
    ("ts", ("-c:a", "aac")),
    ("flv", ("-c:a", "libmp3lame", "-ar", "11025")),
    ("avi", ("-c:a", "adpcm_ms")),
    ("mov", ("-c:a", "pcm_s24be")),
    ("mov", ("-c:a", "alac")),
)
_NOISE = "anoisesrc=sample_rate=48000:seed=1"


def video(
    sandbox: Sandbox, name: str, *options: str, sound: str = _NOISE, seconds: float = SECONDS, longer: float = 0
) -> str:
    """Writes a video with sound, which may be longer or shorter than the pictures by some seconds. Returns its name."""
    joint = ":" if "=" in sound else "="
    pictures = ["-f", "lavfi", "-i", f"testsrc2=size=160x96:rate=15:duration={seconds}"]
    heard = ["-f", "lavfi", "-i", f"{sound}{joint}duration={max(0.2, seconds + longer)}"]
    sandbox.ffmpeg(*pictures, *heard, *X264, "-g", "15", *options, name)
    return name


def measured(sandbox: Sandbox, name: str, *signals: str, sound: bool = True) -> None:
    """Stores the video and measures these signals, all for none.

    Args:
        sound: whether the video is sound, so that all has to succeed.
    """
    stored = sandbox.result("download", name, "--name", "v", "--chat")
    if stored is None:
        sandbox.expect(not sound, f"{name} is a video and is refused")
        return
    extracted = sandbox.result("extract", "v", "--size", "64")
    for signal in signals or SIGNALS:
        track = sandbox.result("track", "v", "--signal", signal, "--size", "64", "--source", "auto")
        if track is None:
            sandbox.expect(not sound, f"{name}: {signal} cannot be measured")
            continue
        if sound and extracted:
            same = abs(track["frames"] - extracted["frames"]) <= (signal == "chat")  # by the length that is claimed
            sandbox.expect(same, f"{name}: {signal} has {track['frames']} instants of {extracted['frames']}")
        before = _tracks(sandbox)
        again = sandbox.result("track", "v", "--signal", signal, "--size", "64", "--force")
        changed = difference(before, _tracks(sandbox))
        sandbox.expect(again is not None and not changed, f"{name}: {signal}, measured again, is another: {changed}")


def _tracks(sandbox: Sandbox) -> dict[str, str]:
    """Path → digest of all that is stored of tracks."""
    files = [path for path in sorted((sandbox.root / "tracks").rglob("*")) if path.is_file()]
    return {path.relative_to(sandbox.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def sounding(name: str, *options: str, **changes: Any) -> Callable[[Sandbox], None]:
    return lambda sandbox: measured(sandbox, video(sandbox, name, *options, **changes), "sound", "loudness")


def other_rates(sandbox: Sandbox) -> None:
    """A .ts in whose middle the sound has another rate and other channels."""
    parts = [("44100", "1", "0"), ("48000", "2", str(SECONDS)), ("22050", "6", str(2 * SECONDS))]
    data = b""
    for rate, channels, at in parts:
        name = f"part{rate}.ts"
        video(sandbox, name, "-c:a", "aac", "-ar", rate, "-ac", channels, "-output_ts_offset", at, "-muxdelay", "0")
        data += (sandbox.work / name).read_bytes()
    sandbox.write("film.ts", data)
    measured(sandbox, "film.ts", "sound", "loudness")


def silent_codec(sandbox: Sandbox) -> None:
    """Sound in a codec that is called by a name that nobody knows."""
    name = video(sandbox, "film.mkv", "-c:a", "pcm_s16le")
    data = (sandbox.work / name).read_bytes()
    sandbox.write(name, data.replace(b"A_PCM/INT/LIT", b"A_NIX/INT/LIT"))
    measured(sandbox, name, "sound", "loudness")


def damaged_sound(sandbox: Sandbox) -> None:
    """Packets of sound that are no sound any more."""
    name = video(sandbox, "film.ts", "-c:a", "aac")
    data = bytearray((sandbox.work / name).read_bytes())
    for at in range(188, len(data), 188):
        if data[at + 1] & 0x1F == 1 and data[at + 2] == 1 and at % 3 == 0:  # the second stream
            data[at + 20 : at + 188] = sandbox.rng.randbytes(168)
    sandbox.write(name, bytes(data))
    measured(sandbox, name, "sound", "loudness")


def chat(lines: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"comments": list(lines)})


def message(text: str, time: Any = 1.0, user: Any = "me") -> dict[str, Any]:
    return {"time": time, "user": user, "text": text}


def written(text: str | bytes, *, good: bool) -> Callable[[Sandbox], None]:
    """A chat beside a video: measured, or refused in one line."""

    def case(sandbox: Sandbox) -> None:
        video(sandbox, "film.mp4", seconds=3)
        sandbox.write("film.chat.json", text)
        if good:
            measured(sandbox, "film.mp4", "chat")
        else:
            sandbox.refuse("download", "film.mp4", "--name", "v", "--chat", codes=(2,))

    return case


def chat_that_lies(*values: str) -> Callable[[Sandbox], None]:
    """A stored chat that was changed: said, or measured as it is."""

    def case(sandbox: Sandbox) -> None:
        video(sandbox, "film.mp4", seconds=3)
        sandbox.write("film.chat.json", chat([message("gg")]))
        sandbox.succeed("download", "film.mp4", "--name", "v", "--chat")
        for value in values:
            path = sandbox.root / "vods/v/chat.json"
            path.unlink()
            path.write_text(value)
            done = sandbox.run("track", "v", "--signal", "chat")
            sandbox.expect(done.failed, f"{done.call}: a chat that was changed is measured")

    return case


NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    "other-rates": other_rates,
    "unknown-codec": silent_codec,
    "damaged-sound": damaged_sound,
    "late-sound": sounding("film.mp4", "-af", "adelay=3000:all=1,asetpts=PTS+3/TB"),
    "long-sound": sounding("film.mkv", longer=5),
    "short-sound": sounding("film.mkv", longer=-4),
    "eight-channels": sounding("film.mp4", "-c:a", "aac", "-ac", "8"),
    "slow-sound": sounding("film.mkv", "-c:a", "pcm_u8", "-ar", "1000"),
    "loud-sound": sounding("film.mkv", "-c:a", "pcm_f32le", "-af", "volume=1e30"),
    "no-numbers": sounding("film.mkv", "-c:a", "pcm_f32le", "-af", "aeval='0/0':c=mono"),
    "chat-deep": written("[" * 200_000, good=False),
    "chat-huge-time": written(chat([message("gg", 10**400)]), good=False),
    "chat-odd-times": written(
        chat([message("gg", time) for time in ("nan", "inf", -1e300, "1e999", 1e300)]), good=True
    ),
    "chat-surrogate": written(chat([message("\ud800 gg", user="\udfff")]), good=True),
    "chat-long": written(chat([message("ha" * 500_000), message("KEKW " * 100_000), message("a" * 10**6)]), good=True),
    "chat-many": written(chat([message("LUL", 1.5, f"user{number}") for number in range(100_000)]), good=True),
    "chat-no-list": written('{"comments": {"time": 3}}', good=False),
    "chat-null": written("null", good=False),
    "chat-changed": chat_that_lies("", "{}", chat([message("gg", 10**300)]), "[" * 100_000, '{"comments": [3]}'),
}


def draw(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    if rng.random() < 0.5:
        _chat(sandbox)
        return
    ending, codec = rng.choice(SOUNDS)
    options = [*codec]
    if rng.random() < 0.3:
        options += ["-af", rng.choice(("atempo=0.9", "aresample=async=1", "asetpts=PTS+2/TB", "volume=0", "apad"))]
        options += ["-t", str(SECONDS)]
    if rng.random() < 0.2 and ending in ("ts", "mkv", "mp4"):
        options += ["-output_ts_offset", rng.choice(("0.5", "3600", "95443"))]
    name = video(sandbox, f"film.{ending}", *options, longer=rng.choice((0, 0, 3, -3)), seconds=rng.choice((0.5, 4, 8)))
    damaged = rng.random() < 0.5
    if damaged:
        sandbox.write(name, damage_bytes(rng, (sandbox.work / name).read_bytes()))
    measured(sandbox, name, "sound", rng.choice(("loudness", "motion")), sound=False)


def _chat(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    lines = [
        message(rng.choice(TEXTS), rng.choice((rng.uniform(0, 4), rng.choice(HOSTILE))), rng.choice(TEXTS))
        for _ in range(rng.randrange(1, 50))
    ]
    whole = chat([message("gg", 1.0), message("LUL KEKW", 2.0, "you")])
    text = rng.choice((mutate(rng, whole.encode()), json.dumps({"comments": lines}).encode()))
    video(sandbox, "film.mp4", seconds=3)
    sandbox.write("film.chat.json", text)
    measured(sandbox, "film.mp4", "chat", sound=False)
