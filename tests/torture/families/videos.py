"""Odd video files, by ffmpeg's own sources: through download, extract, infer in all its modes, and report."""

import math
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests.torture.sandbox import Sandbox

MODES = ("grid", "scan", "refine")

# Container and codec: ending → arguments of ffmpeg. Small pictures; some of these are no good for streams.
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-sc_threshold", "0")
FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mp4": ("mp4", X264),
    "fragments": ("mp4", (*X264, "-movflags", "+frag_keyframe+empty_moov")),
    "mov": ("mov", X264),
    "mkv": ("mkv", X264),
    "ts": ("ts", X264),
    "nut": ("nut", X264),
    "flv": ("flv", X264),
    "h265": ("mp4", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")),
    "flv1": ("flv", ("-c:v", "flv")),
    "avi": ("avi", ("-c:v", "mpeg4")),
    "reordered": ("avi", ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-pix_fmt", "yuv420p")),
    "wmv": ("wmv", ("-c:v", "wmv2")),
    "mpg": ("mpg", ("-c:v", "mpeg2video", "-r", "25")),
    "vp8": ("webm", ("-c:v", "libvpx", "-b:v", "200k", "-deadline", "realtime")),
    "vp9": ("webm", ("-c:v", "libvpx-vp9", "-b:v", "200k", "-deadline", "realtime", "-cpu-used", "8")),
    "ffv1": ("mkv", ("-c:v", "ffv1")),
    "prores": ("mov", ("-c:v", "prores_ks")),
    "mjpeg": ("avi", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")),
    "gif": ("gif", ("-c:v", "gif")),
    "y4m": ("y4m", ("-pix_fmt", "yuv420p")),
    "ogv": ("ogv", ("-c:v", "libtheora")),
}
TITLES = (
    "displaymatrix: rotation of . degrees",
    "displaymatrix: rotation of 90.00 degrees",
    "Duration: 99:99:99.99, start: 1e9",
    "  Stream #0:0: Video: h264, yuv420p, 99999x99999, 1k fps",
    "\x1b]0;taken\x07\x1b[31mred",
    "\u202egnp.exe",
    "</script><script>alert(1)</script>",
    "x" * 5000,
    "'; rm -rf / #",
    "%s%n${HOME}$(id)",
    "a\nb\rc",
)
_LONGEST_PICTURE = 2.0  # seconds, of the videos drawn here
_LONGEST_TAG = 200  # characters that a .ts can hold; ffmpeg makes no file of more
PLANTED = "planted.mp4"  # another video of this machine, all of one colour, which no other file may pull in


def film(
    sandbox: Sandbox,
    name: str,
    *arguments: str,
    seconds: float = 6.0,
    rate: str = "15",
    size: str = "160x96",
    codec: Sequence[str] = X264,
    source: str = "testsrc2",
    sound: bool = False,
) -> str:
    """Writes a video with ffmpeg's test picture. Returns its name."""
    begin = f"{source}:" if "=" in source else f"{source}="
    inputs = ["-f", "lavfi", "-i", f"{begin}size={size}:rate={rate}:duration={seconds}"]
    often = () if "-g" in (*arguments, *codec) else ("-g", "15")
    if sound:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency=300:duration={seconds}"]
    sandbox.ffmpeg(*inputs, *codec, *often, *arguments, name)
    return name


def planted(sandbox: Sandbox) -> None:
    film(sandbox, PLANTED, source="color=c=magenta", seconds=6)


# What must hold for a video


@dataclass(frozen=True)
class Length:
    """Of a video, in seconds. Where its container does not say how long its last picture stays, nobody knows it."""

    least: float
    most: float
    pictures: int | None = None

    def __str__(self) -> str:
        return f"{self.least:g} s" if self.least == self.most else f"{self.least:g} to {self.most:g} s"

    def fits(self, seconds: float, slack: float) -> bool:
        return self.least - slack <= seconds <= self.most + slack


def through(sandbox: Sandbox, name: str, *, seconds: float | Length | None = None, clips: str = "copy") -> None:
    """All stages: each succeeds or says in a line why not, and all see the same video.

    Args:
        seconds: its length, where that is known.
    """
    sandbox.take("models/t")
    stored = sandbox.result("download", name, "--name", "v")
    if stored is None:
        sandbox.expect(seconds is None, f"{name} is a video of {seconds} and is refused")
        return
    extracted = sandbox.result("extract", "v", "--size", "64")
    result = extracted or {}
    counts: dict[str, Any] = {"extract": result.get("frames")}
    for mode in MODES:
        scored = sandbox.result("infer", "t", "v", "--source", "video", "--mode", mode, "--force")
        counts[mode] = scored and scored["frames"]
    if None in counts.values():
        lost = [stage for stage, count in counts.items() if count is None]
        sandbox.expect(seconds is None and len(lost) == len(counts), f"{name}: {', '.join(lost)} cannot read it")
        return
    sandbox.expect(len({*counts.values()}) == 1, f"{name}: the grid's length differs: {counts}")
    says_less = result.get("truncated") or result.get("problem")
    if seconds is not None and not says_less:
        fps = Fraction(result["fps"])
        lasts = float(counts["extract"] / fps)
        slack = max(1.0, float(1 / fps))
        length = seconds if isinstance(seconds, Length) else Length(seconds, seconds)
        sandbox.expect(length.fits(lasts, slack), f"{name}: {counts['extract']} frames, {lasts:g} s, of {length}")
    sandbox.result("infer", "t", "v", "--source", "video", "--force")
    shorts = ("--shorts", "--shorts-top", "1", "--shorts-height", "320")
    reported = sandbox.result("report", "v", "--threshold", "0", "--clips", clips, *shorts, "--force")
    if reported is None and clips == "copy":
        exact = sandbox.result("report", "v", "--threshold", "0", "--clips", "exact", *shorts, "--force")
        sandbox.expect(exact is None, f"{name}: no report with --clips copy, though --clips exact works")
        sandbox.expect(seconds is None, f"{name}: no report of a sound video")
    elif reported is None:
        sandbox.expect(seconds is None, f"{name}: no report of a sound video")


def decoded_length(path: Path) -> Length | None:
    """Of what ffmpeg decodes, on one continuous clock; None of nothing.

    Its last picture stays as long as it claims, or as others do.
    """
    is_gif = path.read_bytes()[:4] == b"GIF8"
    delays = ("-min_delay", "1") if is_gif else ()  # as the file says: only later versions do so by themselves
    command = ["ffmpeg", "-v", "error", "-nostdin", *delays, "-i", f"file:{path}", "-map", "0:V:0"]
    command += ["-enc_time_base", "1:1000000", "-vsync", "passthrough", "-f", "framecrc", "-"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace").stdout.splitlines()
    unit = next((Fraction(line.removeprefix("#tb 0:")) for line in lines if line.startswith("#tb 0:")), Fraction(0))
    pictures = [line.split(",") for line in lines if not line.startswith("#")]
    times = [float(int(fields[2]) * unit) for fields in pictures]
    if not times:
        return None
    claimed = float(int(pictures[-1][3]) * unit)
    usual = median(later - earlier for earlier, later in pairwise(times)) if len(times) > 1 else _LONGEST_PICTURE
    begin = times[0] if len(times) == 1 else 0.0  # ffmpeg knows no start of a .mkv with a single picture
    last = times[-1] - begin
    most = last + max(claimed, usual)
    if path.read_bytes()[:4] == b"RIFF":  # an .avi repeats a picture by a packet of no bytes, which ffmpeg leaves out
        most = max(most, _claimed_length(path))
    return Length(last + min(claimed, usual), most, len(times))


def _claimed_length(path: Path) -> float:
    """As the container tells it, in seconds; 0 where it does not."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", f"file:{path}"]
    claimed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return float(claimed) if claimed.replace(".", "", 1).isdecimal() else 0.0


def never_shows(sandbox: Sandbox, name: str, *options: str) -> None:
    """A file that names others is refused, and no picture of the planted video comes out."""
    planted(sandbox)
    done = sandbox.run("download", name, "--name", "v", *options)
    sandbox.expect(done.code in (1, 2), f"{done.call}: {name} names other files and is stored as a video")
    if done.failed:
        return
    sandbox.run("extract", "v", "--size", "64")
    for shard in sandbox.root.rglob("*.tar"):
        sandbox.expect(not is_magenta(shard.read_bytes()), f"{name} shows the pictures of {PLANTED}")


def is_magenta(shard: bytes) -> bool:
    """Whether the first picture of a shard is of the planted video's colour."""
    import simplejpeg

    begin = shard.find(b"\xff\xd8")
    picture = simplejpeg.decode_jpeg(shard[begin:], colorspace="RGB")
    red, green, blue = picture.reshape(-1, 3).mean(axis=0)
    return bool(red > 200 and blue > 200 and green < 60)


def mpd(address: str) -> str:
    return (
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT6S" minBufferTime="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        '<Period duration="PT6S"><AdaptationSet mimeType="video/mp4" contentType="video">'
        '<Representation id="1" bandwidth="100000" width="160" height="96" codecs="avc1.42c00c">'
        f"<BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>\n"
    )


def lists(folder: Path) -> dict[str, str]:
    """Files that are no video but name the planted one: name → text."""
    path = folder / PLANTED
    return {
        "file.mpd": mpd(f"file:{path}"),
        "slashes.mp4": mpd(f"file://{path}"),
        "beside.mpd": mpd(PLANTED),
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{path}\n#EXT-X-ENDLIST\n",
        "list.mp4": f"\n#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nfile:{path}\n#EXT-X-ENDLIST\n",
        "bom.m3u8": f"\ufeff#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{path}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{PLANTED}'\n",
        "list.txt": f"file '{PLANTED}'\n",
        "spaced.concat": f"  ffconcat version 1.0\nfile '{path}'\n",
        "list.sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=x:{path}\n",
        "list.pls": f"[playlist]\nFile1={path}\nNumberOfEntries=1\n",
        "list.asx": f'<asx version="3.0"><entry><ref href="file:{path}"/></entry></asx>\n',
        "list.xspf": f"<playlist><trackList><track><location>file://{path}</location></track></trackList></playlist>\n",
        "list.smil": f'<smil><body><video src="{path}"/></body></smil>\n',
        "list.cpl": f"<CompositionPlaylist><Id>urn:uuid:1</Id><Asset>{path}</Asset></CompositionPlaylist>\n",
        "movie=planted.mp4": f"movie={path}\n",
        "list.avs": f'FFmpegSource2("{path}")\n',
        "list.vpy": "import os\nos.system('touch vpy-ran')\n",
        "list.ism": f'<SmoothStreamingMedia><StreamIndex Url="{path}"/></SmoothStreamingMedia>\n',
    }


def clip_fallback(form: str) -> Callable[[Sandbox], None]:
    """A report with copied clips of a format that an .mp4 cannot hold as it is: it says so, and encodes."""

    def case(sandbox: Sandbox) -> None:
        ending, codec = FORMATS[form]
        through(sandbox, film(sandbox, f"film.{ending}", codec=codec, rate="10"), seconds=6)

    return case


def planted_list(name: str, *options: str) -> Callable[[Sandbox], None]:
    def case(sandbox: Sandbox) -> None:
        sandbox.write(name, lists(sandbox.work)[name])
        never_shows(sandbox, name, *options)

    return case


def titled(title: str) -> Callable[[Sandbox], None]:
    def case(sandbox: Sandbox) -> None:
        name = film(sandbox, "film.mp4", "-metadata", f"title={title}", "-metadata", f"comment={title}")
        stored = sandbox.result("download", name, "--name", "sized")
        size = stored and (stored["width"], stored["height"])
        sandbox.expect(size == (160, 96), f"{name}: a tag changes its width and height to {size}")
        through(sandbox, name, seconds=6)

    return case


# What was found once


def irregular_keys(sandbox: Sandbox) -> None:
    """Key frames every 2 s for 34 s, and none after."""
    keys = "expr:if(lt(t,34),gte(t,n_forced*2),0)"
    through(sandbox, film(sandbox, "film.mp4", "-g", "9999", "-force_key_frames", keys, seconds=60), seconds=60)


def one_key_frame(sandbox: Sandbox) -> None:
    through(sandbox, film(sandbox, "film.mp4", "-g", "9999", seconds=2), seconds=2)


def ragged_end(sandbox: Sandbox) -> None:
    """Lengths at which a grid is one instant too long when it is counted from key frames."""
    for number, (seconds, rate, group) in enumerate([(3.0, "15", "15"), (2.9, "30000/1001", "10"), (3.05, "7", "3")]):
        name = film(sandbox, f"film{number}.mp4", "-g", group, seconds=seconds, rate=rate)
        sandbox.succeed("download", name, "--name", f"v{number}")
        if length := decoded_length(sandbox.work / name):
            same_length(sandbox, f"v{number}", length.most)


def same_length(sandbox: Sandbox, vod: str, seconds: float) -> None:
    """The same number of instants in each mode, and none after the end."""
    if not (sandbox.root / "models").exists():
        sandbox.take("models/t")
    counts: dict[str, Any] = {}
    for mode in MODES:
        scored = sandbox.result("infer", "t", vod, "--source", "video", "--mode", mode, "--force")
        counts[mode] = scored and scored["frames"]
    sandbox.expect(len({*counts.values()}) == 1, f"{vod}: the grid's length differs: {counts}")
    most = math.ceil(round(seconds * 3, 3))
    for mode, count in counts.items():
        sandbox.expect(count and count <= most, f"{vod}: {mode} has {count} instants in {seconds:g} s, at most {most}")


def late_sound(sandbox: Sandbox) -> None:
    """A .flv whose head tells that it has no sound, which comes all the same."""
    inputs = ["-f", "lavfi", "-i", "testsrc2=size=160x96:rate=15:duration=16"]
    inputs += ["-itsoffset", "10", "-f", "lavfi", "-i", "sine=sample_rate=44100:duration=4"]
    sandbox.ffmpeg(*inputs, *X264, "-g", "15", "-c:a", "libmp3lame", "film.flv")
    data = bytearray((sandbox.work / "film.flv").read_bytes())
    data[4] = 1  # pictures alone
    sandbox.write("film.flv", bytes(data))
    through(sandbox, "film.flv", seconds=16)


def hidden_key_frame(sandbox: Sandbox) -> None:
    """A part that ends before the last picture of the video, a key frame, which is stored and hidden."""
    name = film(sandbox, "film.avi", seconds=8, codec=("-c:v", "mpeg4"), sound=True)
    sandbox.succeed("download", name, "--name", "v", "--start", "5.483", "--stop", "6.85")
    same_length(sandbox, "v", 6.85 - 5.483 + 1 / 15)


def spliced(sandbox: Sandbox) -> None:
    """Three .ts files of 3 s one after the other: the timestamps begin again."""
    parts = [film(sandbox, f"part{number}.ts", seconds=3, source=source, sound=True)
             for number, source in enumerate(("testsrc2", "testsrc", "smptebars"))]  # fmt: skip
    sandbox.write("film.ts", b"".join((sandbox.work / part).read_bytes() for part in parts))
    through(sandbox, "film.ts", seconds=9)
    extracted = sandbox.result("extract", "v", "--size", "64")
    sandbox.expect(extracted and extracted["frames"] >= 26, "film.ts: spliced of 9 s, and not all of it has frames")


def wrapped(sandbox: Sandbox) -> None:
    """Timestamps of 33 bits that begin again from 0."""
    film(sandbox, "film.ts", "-output_ts_offset", f"{2**33 / 90_000 - 6:.3f}", "-muxdelay", "0", seconds=12)
    through(sandbox, "film.ts", seconds=12)


def gap(sandbox: Sandbox) -> None:
    """Five seconds without a picture; the one before stays on the screen."""
    later = "setpts='if(gt(N,60),PTS+5/TB,PTS)'"
    through(sandbox, film(sandbox, "film.mkv", "-vf", later, "-vsync", "passthrough", seconds=8), seconds=13)


def slow(sandbox: Sandbox) -> None:
    """A picture every 10 s."""
    through(sandbox, film(sandbox, "film.mp4", rate="1/10", seconds=40, codec=(*X264, "-g", "2")), seconds=40)


def slow_trimmed(sandbox: Sandbox) -> None:
    """A picture every 10 s, and an edit list."""
    film(sandbox, "whole.mp4", rate="1/10", seconds=60, codec=(*X264, "-g", "2"))
    sandbox.ffmpeg("-ss", "15", "-i", "whole.mp4", "-c", "copy", "film.mp4")
    through(sandbox, "film.mp4")


def tall(sandbox: Sandbox) -> None:
    """A picture 256 times as high as wide."""
    through(sandbox, film(sandbox, "film.mp4", size="16x4096", rate="5"), seconds=6)


def still(ending: str) -> Callable[[Sandbox], None]:
    def case(sandbox: Sandbox) -> None:
        sandbox.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=160x96:duration=1:rate=1", "-frames:v", "1", f"x.{ending}")
        sandbox.refuse("download", f"x.{ending}", "--name", "v")

    return case


def numbered_stills(sandbox: Sandbox) -> None:
    """A file whose name is a pattern, and pictures beside that it fits."""
    sandbox.ffmpeg("-f", "lavfi", "-i", "color=c=magenta:size=160x96:duration=2:rate=10", "frame%03d.png")
    sandbox.write("frame%03d.png", (sandbox.work / "frame001.png").read_bytes())
    done = sandbox.run("download", "frame%03d.png", "--name", "v")
    sandbox.expect(done.failed, f"{done.call}: a pattern for other files is stored as a video")


def one_picture(ending: str, *options: str) -> Callable[[Sandbox], None]:
    """A single picture that is shown for 2 s."""

    def case(sandbox: Sandbox) -> None:
        codec = next(codec for known, codec in FORMATS.values() if known == ending)
        through(sandbox, film(sandbox, f"film.{ending}", *options, codec=codec, rate="1/2", seconds=2))

    return case


def fast(ending: str) -> Callable[[Sandbox], None]:
    """More pictures a second than any grid has."""

    def case(sandbox: Sandbox) -> None:
        through(sandbox, film(sandbox, f"film.{ending}", rate="1000", seconds=2.5), seconds=2.5)

    return case


def gif_delays(sandbox: Sandbox) -> None:
    """Pictures that are shown for 0.01 s, which ffmpeg's versions take for other times."""
    codec = FORMATS["gif"][1]
    through(sandbox, film(sandbox, "film.gif", codec=codec, rate="60", seconds=6), seconds=6, clips="exact")


def sound_first(sandbox: Sandbox) -> None:
    """A .flv does not say how long its last picture stays."""
    codec = FORMATS["flv1"][1]
    through(sandbox, film(sandbox, "film.flv", codec=codec, rate="0.5", seconds=6, sound=True), seconds=6)


NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    "late-sound": late_sound,
    "hidden-key-frame": hidden_key_frame,
    "irregular-keys": irregular_keys,
    "one-key-frame": one_key_frame,
    "ragged-end": ragged_end,
    "spliced-ts": spliced,
    "wrapped-ts": wrapped,
    "gap": gap,
    "mpd": planted_list("file.mpd"),
    "mpd-part": planted_list("file.mpd", "--start", "1", "--stop", "5"),
    "mpd-beside-part": planted_list("beside.mpd", "--start", "1", "--stop", "5"),
    "hls": planted_list("list.m3u8", "--start", "1", "--stop", "5"),
    "ffconcat": planted_list("list.ffconcat", "--start", "1", "--stop", "5"),
    "concat-text": planted_list("list.txt", "--start", "1", "--stop", "5"),
    "numbered-stills": numbered_stills,
    "title-rotation": titled(TITLES[0]),
    "title-rotation-90": titled(TITLES[1]),
    "slow": slow,
    "slow-trimmed": slow_trimmed,
    "tall": tall,
    "fast-mp4": fast("mp4"),
    "fast-mkv": fast("mkv"),
    "one-picture-wmv": one_picture("wmv"),
    "one-picture-late": one_picture("mkv", "-output_ts_offset", "3600"),
    "gif-delays": gif_delays,
    "last-picture-flv": sound_first,
    "png": still("png"),
    "jpg": still("jpg"),
    "webp": still("webp"),
    "gif": still("gif"),
    **{f"clips-{form}": clip_fallback(form)
       for form in ("gif", "flv", "flv1", "ffv1", "prores", "vp8", "wmv", "y4m", "avi", "reordered")},
}  # fmt: skip


# Others


def draw(sandbox: Sandbox) -> None:
    kind = sandbox.rng.choices((_odd, _listed, _part), (8, 2, 1))[0]
    kind(sandbox)


def _listed(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    name, text = rng.choice([*lists(sandbox.work).items()])
    if rng.random() < 0.4:
        name = rng.choice(("x.mp4", "x.ts", "x.mkv", "x", "x.m3u8", "x.mpd", "x.ffconcat"))
    if rng.random() < 0.3:
        text = rng.choice(("\n", " ", "\ufeff", "#!x\n", "<!-- -->")) + text
    sandbox.write(name, text)
    options = rng.choice([(), ("--start", "1"), ("--start", "0:00:01", "--stop", "5"), ("--stop", "3")])
    never_shows(sandbox, name, *options)


def _part(sandbox: Sandbox) -> None:
    """A part of a sound video: as long as was asked for, in every mode."""
    rng = sandbox.rng
    ending, codec = FORMATS[rng.choice(["mp4", "mkv", "ts", "mov", "flv", "avi", "vp9"])]
    name = film(sandbox, f"film.{ending}", "-g", str(rng.choice([1, 15, 30, 300])), seconds=8, codec=codec, sound=True)
    start = round(rng.uniform(0, 6), 3)
    stop = round(rng.uniform(start + 0.5, 8), 3)
    stored = sandbox.result("download", name, "--name", "v", "--start", str(start), "--stop", str(stop))
    sandbox.expect(stored, f"{name}: has no part from {start:g} to {stop:g}")
    if stored:
        same_length(sandbox, "v", stop - start + 1 / 15)


def _odd(sandbox: Sandbox) -> None:
    """A video with some oddities; where nothing in it is damaged, its length is known."""
    rng = sandbox.rng
    form = rng.choice([*FORMATS])
    ending, codec = FORMATS[form]
    arguments: list[str] = []
    rate = rng.choice(["15", "10", "24000/1001", "30000/1001", "60", "7", "1", "0.5"])
    if form == "mpg":
        rate = "25"
    size = rng.choice(["160x96", "96x160", "320x180", "64x64", "130x74", "1280x16", "16x1280", "2x2"])
    if form in ("mpg", "wmv", "h265", "ogv", "flv") and size in ("2x2", "1280x16", "16x1280"):
        size = "160x96"
    arguments += ["-g", str(rng.choice([1, 5, 15, 30, 100, 9999]))]
    if rng.random() < 0.3:
        at = ",".join(f"{rng.uniform(0, 6):.2f}" for _ in range(rng.randrange(1, 5)))
        arguments += ["-force_key_frames", ",".join(sorted(at.split(","), key=float))]
    filters = []
    if rng.random() < 0.2:
        filters.append(f"setsar={rng.choice(['16/15', '1/100', '100/1', '64/45'])}")
    if rng.random() < 0.2 and form in ("mkv", "mp4", "nut", "ts"):
        jump, after = rng.uniform(0.5, 8), rng.randrange(1, 30)
        filters.append(f"setpts='if(gt(N,{after}),PTS+{jump:.3f}/TB,PTS)'")
        arguments += ["-vsync", "passthrough"]
    if filters:
        arguments += ["-vf", ",".join(filters)]
    if rng.random() < 0.3:
        title, handler = rng.choice(TITLES), rng.choice(TITLES)
        if ending == "ts":
            title = title[:_LONGEST_TAG]
        arguments += ["-metadata", f"title={title}", "-metadata:s:v:0", f"handler_name={handler}"]
    if rng.random() < 0.2 and ending in ("mp4", "mov"):
        arguments += ["-metadata:s:v:0", f"rotate={rng.choice([90, 180, 270, 45, 1])}"]
    if rng.random() < 0.25 and ending in ("ts", "mkv", "mp4", "nut"):
        arguments += ["-output_ts_offset", str(rng.choice([0.5, 100, 3600, 95_440, 95_443.5]))]
    seconds = rng.choice([0.04, 0.5, 1.0, 2.4, 5.0, 8.1])
    name = film(
        sandbox, f"film.{ending}", *arguments, seconds=seconds, rate=rate, size=size, codec=codec,
        sound=rng.random() < 0.4 and form not in ("gif", "y4m"),
    )  # fmt: skip
    sound = _damaged(sandbox, name, form)
    length = decoded_length(sandbox.work / name) if sound else None
    if length and form == "gif" and length.pictures == 1:
        sandbox.refuse("download", name, "--name", "v")
        return
    through(sandbox, name, seconds=length or None, clips=rng.choice(["copy", "copy", "exact", "none"]))


def _damaged(sandbox: Sandbox, name: str, form: str) -> bool:
    """Damages the file, or not. Returns whether its length can be relied on."""
    rng, path = sandbox.rng, sandbox.work / name
    data = bytearray(path.read_bytes())
    match rng.choice(["no"] * 5 + ["cut", "flip", "hole", "tail", "head", "twice"]):
        case "cut":
            data = data[: rng.randrange(len(data))]
        case "flip":
            for _ in range(rng.randrange(1, 40)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case "hole":
            begin = rng.randrange(len(data))
            stop = min(len(data), begin + rng.randrange(1, 1 + len(data) // 3))
            data[begin:stop] = bytes(stop - begin)
        case "tail":
            data += rng.randbytes(rng.randrange(1, 50_000))
        case "head":
            data = bytearray(rng.randbytes(rng.randrange(1, 5000))) + data
        case "twice" if form in ("ts", "mpg"):
            path.write_bytes(bytes(data + data))
            return form == "ts"
        case _:
            return True
    path.write_bytes(bytes(data))
    return False
