"""Every key of a root, and the command that makes what lies under it. Nothing else puts keys together.

What only lolhl reads (weights, scores, stretches, shards, indexes, parts of tracks) holds the digest of its bytes in
its name, see `with_digest`. Other bytes have another key, so no run overwrites what a manifest names.

What a person opens by its name keeps its name: the video and the chat of a VOD, highlights.tsv, clips, exports, and
the pages. Bookmarks, projects of video editors and scripts hold these names. What `report` makes is made from manifests
alone, and no stage reads it again, so it is made anew where it is missing.
"""

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import PurePosixPath

from lolhl.storage import Root, check_name

CHAMPION = "models/champion.json"  # names the champion and all champions before it
FRAMES = "frames/"  # the folder of all frame sets of all VODs
GAMES = "games/"  # the folder of what is known of the games that each VOD shows
HIGHLIGHTS = "highlights"  # below it lie the scores that reports are made of
MLFLOW = "mlflow/mlflow.db"
REVIEWS = "reviews/"  # the folder of all corrections
CLOCK_PLACES = "clock-places/"  # the folder of where clocks lie in the pictures of channels
RETRAINED = "retrain-"  # how the names of datasets and models begin that `retrain` makes
RETRAINING = "retrain/retrain.json"

_DIGEST = re.compile(r"-[0-9a-f]{16}(?=\.[a-z]+$)")  # the first digits of a sha256, before a file's ending
_FRAME_SET = re.compile(
    r"(?P<fps>[1-9]\d*(?:_[1-9]\d*)?)fps-(?P<size>[1-9]\d*)px-(?P<fit>squeeze|crop)-q(?P<quality>[1-9]\d*)"
    r"(?:-(?P<mode>scan))?"
)


def with_digest(key: str, sha256: str) -> str:
    """The key of a file with these bytes: scores.parquet → scores-0123456789abcdef.parquet."""
    path = PurePosixPath(key)
    return str(path.with_name(f"{path.stem}-{sha256[:16]}{path.suffix}"))


def without_digest(key: str) -> str:
    """The key that `with_digest` was given. Files of lolhl 0.1 lie under it."""
    return _DIGEST.sub("", key)


def vod(name: str) -> str:
    """The manifest of a VOD. Raises UsageError, as all that follow, for what cannot be a name."""
    return f"{_named('vods', name, 'VOD')}vod.json"


def video(vod: str, suffix: str) -> str:
    """The video of a VOD. Its file's ending begins with a dot."""
    return f"{_named('vods', vod, 'VOD')}video{suffix}"


def chat(vod: str) -> str:
    return f"{_named('vods', vod, 'VOD')}chat.json"


def twitch_clips(vod: str) -> str:
    """The manifest of the clips that viewers made of a VOD on Twitch, which holds them."""
    return f"{_named('vods', vod, 'VOD')}twitch-clips.json"


def source_folder(vod: str) -> str:
    """The folder of what clips are cut from in source quality: stretches of video, each with its manifest."""
    return f"{_named('vods', vod, 'VOD')}source/"


def labels(vod: str) -> str:
    return f"labels/{check_name(vod, 'VOD')}.tsv"


def games(vod: str) -> str:
    """The manifest of the games that a VOD shows, which holds them."""
    return f"{GAMES}{check_name(vod, 'VOD')}.json"


def clock(vod: str) -> str:
    """The manifest of the games that the clock on a VOD's pictures tells, which holds them."""
    return f"clocks/{check_name(vod, 'VOD')}.json"


def channel_clock(channel: str) -> str:
    """Where the clock lies in the pictures of a channel."""
    return f"{CLOCK_PLACES}channel-{check_name(channel, 'channel').lower()}.json"


def vod_clock(vod: str) -> str:
    """Where the clock lies in the pictures of a VOD whose channel nobody has named."""
    return f"{CLOCK_PLACES}vod-{check_name(vod, 'VOD')}.json"


def match(match_id: str) -> str:
    """What Riot says of a match, with its timeline. All VODs that show the match share it."""
    return f"matches/{check_name(match_id, 'match')}.json"


def corrections(vod: str) -> str:
    """What an editor corrected of a VOD's highlights on the review page."""
    return f"{REVIEWS}{check_name(vod, 'VOD')}.json"


def channel_camera(channel: str) -> str:
    """Where the camera lies in the pictures of a channel. The same channel is written with large letters, too."""
    return f"cameras/channel-{check_name(channel, 'channel').lower()}.json"


def vod_camera(vod: str) -> str:
    """Where the camera lies in the pictures of a VOD whose channel nobody has named."""
    return f"cameras/vod-{check_name(vod, 'VOD')}.json"


def frames_folder(vod: str) -> str:
    """The folder of all frame sets of a VOD."""
    return _named("frames", vod, "VOD")


def frame_set_folder(vod: str, name: str) -> str:
    """The folder of the frame set with this name, see `frame_set_name`."""
    return f"{frames_folder(vod)}{name}/"


def frame_set(vod: str, name: str) -> str:
    """The manifest of a frame set."""
    return f"{frame_set_folder(vod, name)}frameset.json"


def frame_index(vod: str, name: str) -> str:
    """What says where the pictures of a frame set lie in its shards. Its file's name holds its digest."""
    return f"{frame_set_folder(vod, name)}index.parquet"


def shard(vod: str, name: str, number: int, sha256: str) -> str:
    """The shard of a frame set with this number."""
    return with_digest(f"{frame_set_folder(vod, name)}shard-{number:06}.tar", sha256)


def unfinished_frames(vod: str, name: str) -> str:
    """What says which shards of a frame set are stored before it is finished."""
    return f"{frame_set_folder(vod, name)}unfinished.json"


def old_frame_set(vod: str) -> str:
    """The manifest of a VOD's only frame set in lolhl 0.1."""
    return f"{frames_folder(vod)}frameset.json"


def view_name(fps: Fraction, size: int, fit: str) -> str:
    """What pictures are like, in a name; 30000/1001 frames per second are 30000_1001fps there."""
    return f"{str(fps).replace('/', '_')}fps-{size}px-{fit}"


def frame_set_name(fps: Fraction, size: int, fit: str, quality: int, mode: str) -> str:
    """The name of a frame set, as 3fps-224px-squeeze-q90: frame sets for several models lie side by side."""
    return f"{view_name(fps, size, fit)}-q{quality}{'-scan' if mode == 'scan' else ''}"


def frame_set_settings(name: str) -> dict[str, str] | None:
    """The settings of `lolhl extract` that make the frame set of this name; None where it is no such name."""
    match = _FRAME_SET.fullmatch(name)
    if not match:
        return None
    settings = {setting: value for setting, value in match.groupdict().items() if value is not None}
    return {**settings, "fps": settings["fps"].replace("_", "/")}


def tracks_folder(vod: str) -> str:
    """The folder of all tracks of a VOD."""
    return _named("tracks", vod, "VOD")


def track_stem(vod: str, signal: str, digest: str) -> str:
    """What the names begin with of the folders that hold a track, one folder an engine that computed it.

    Args:
        vod: the name of the VOD.
        signal: the name of the signal.
        digest: of the track's recipe. If it is empty, the tracks of all recipes are meant.
    """
    return f"{tracks_folder(vod)}{signal}-{digest[:16]}"


def track(folder: str) -> str:
    """The manifest of the track in this folder."""
    return f"{folder}/track.json"


def tracks(keys: Iterable[str]) -> list[str]:
    """The folders of the tracks whose manifests are among these keys."""
    return [key.removesuffix("/track.json") for key in keys if key.endswith("/track.json")]


def track_part(folder: str, number: int) -> str:
    """A part of a track: some thousand rows. Its file's name holds its digest."""
    return f"{folder}/part-{number:08}.npy"


def track_part_name(folder: str, key: str) -> tuple[int, str] | None:
    """The number of a part and the beginning of its sha256. None where the key is not that of a part."""
    name = key.removeprefix(f"{folder}/part-").removesuffix(".npy")
    number, _, sha256 = name.partition("-")
    return (int(number), sha256) if number.isdecimal() and len(sha256) == 16 else None


def scattered_stem(folder: str) -> str:
    """What the keys begin with of files that hold some rows of a track each."""
    return f"{folder}/some-"


def scattered_rows(folder: str, part: int) -> str:
    """Some of the rows of a part. Its file's name holds its digest."""
    return f"{scattered_stem(folder)}{part:08}.npy"


def dataset(name: str) -> str:
    """The manifest of a dataset."""
    return f"{_named('datasets', name, 'dataset')}dataset.json"


def stretches(dataset: str) -> str:
    """The stretches of a dataset: which instants lie on which side. Its file's name holds its digest."""
    return f"{_named('datasets', dataset, 'dataset')}stretches.parquet"


def spans(dataset: str) -> str:
    """The labelled spans of a dataset. Its file's name holds its digest."""
    return f"{_named('datasets', dataset, 'dataset')}spans.parquet"


def model(name: str) -> str:
    """The manifest of a model."""
    return f"{_named('models', name, 'model')}model.json"


def weights(model: str) -> str:
    """The weights of a model. Their file's name holds its digest."""
    return f"{_named('models', model, 'model')}model.safetensors"


def checkpoint(model: str) -> str:
    """The state of a training that is not finished."""
    return f"{_named('models', model, 'model')}unfinished.ckpt"


def publication(model: str) -> str:
    """What MLflow was given of a model."""
    return f"{_named('models', model, 'model')}publication.json"


def judged(model: str) -> str:
    """The place of the scores that a model is judged by, apart from those that reports are made of."""
    return f"scores/{check_name(model, 'model')}"


def scoring(vod: str, place: str = HIGHLIGHTS) -> str:
    """The manifest of the scores of a VOD. The place is `HIGHLIGHTS`, or as `judged` gives it."""
    return f"{_named(place, vod, 'VOD')}scores.json"


def scores(vod: str, place: str = HIGHLIGHTS) -> str:
    """The scores themselves. Their file's name holds its digest."""
    return f"{_named(place, vod, 'VOD')}scores.parquet"


def highlights_folder(vod: str) -> str:
    """The folder of what a person opens: a table, exports, clips, a page."""
    return _named(HIGHLIGHTS, vod, "VOD")


def highlights(vod: str) -> str:
    """The manifest of a VOD's highlights, which holds them."""
    return f"{highlights_folder(vod)}highlights.json"


def clips(vod: str) -> str:
    """The manifest of the clips of a VOD's highlights."""
    return f"{highlights_folder(vod)}clips.json"


def shorts(vod: str) -> str:
    """The manifest of the vertical videos of a VOD's highlights."""
    return f"{highlights_folder(vod)}shorts.json"


def reel(vod: str) -> str:
    """The manifest of the reel of a VOD's highlights as they were corrected."""
    return f"{highlights_folder(vod)}corrected/reel.json"


def reel_video(vod: str) -> str:
    return f"{highlights_folder(vod)}corrected/reel.mp4"


def report(vod: str) -> str:
    """The manifest of a VOD's page."""
    return f"{highlights_folder(vod)}report.json"


def page(vod: str) -> str:
    return f"{highlights_folder(vod)}report.html"


def comparison(name: str) -> str:
    """The manifest of a comparison, which holds its figures."""
    return f"{_named('comparisons', name, 'comparison')}comparison.json"


def analysis(model: str) -> str:
    """The manifest of the analysis of a model, which holds its figures and its mistakes."""
    return f"{_named('analyses', model, 'model')}analysis.json"


def analysis_page(model: str) -> str:
    return f"{_named('analyses', model, 'model')}analysis.html"


def retraining_report(digest: str) -> str:
    """The report of the retraining whose plan has this digest."""
    return f"retrain/{digest[:12]}/report.md"


def vods(root: Root) -> list[str]:
    """The names of all VODs that were downloaded."""
    return [key.split("/")[1] for key in _keys(root, "vods/") if key.endswith("/vod.json")]


def models(root: Root) -> list[str]:
    """The names of all models that were trained."""
    return [key.split("/")[1] for key in _keys(root, "models/") if key.endswith("/model.json")]


def labelled(root: Root) -> list[str]:
    """The names of all VODs that have labels."""
    return [key.removeprefix("labels/").removesuffix(".tsv") for key in _keys(root, "labels/")]


def clocks(root: Root) -> list[str]:
    """The names of all VODs whose clock was read."""
    return [key.removeprefix("clocks/").removesuffix(".json") for key in _keys(root, "clocks/")]


def datasets(keys: Iterable[str]) -> list[str]:
    """Those of the keys under which datasets lie."""
    return [key for key in keys if key.startswith("datasets/")]


def frame_sets(keys: Iterable[str]) -> list[tuple[str, str]]:
    """The VOD and the name of each frame set whose manifest is among these keys."""
    parts = [key.split("/") for key in keys]
    return [(part[1], part[2]) for part in parts if part[0] == "frames" and part[3:] == ["frameset.json"]]


def command(key: str) -> str:
    """The command that makes the object under this key. What the key does not tell is left open, as "…".

    Args:
        key: of a manifest, or of a file that belongs to one.
    """
    match key.split("/"):
        case ["labels", *_]:
            return "lolhl labels …"
        case ["games", file]:
            return f"lolhl riot {file.removesuffix('.json')} --riot-id …"
        case ["clocks", file]:
            return f"lolhl clock {file.removesuffix('.json')}"
        case ["matches", *_]:
            return "lolhl riot … --riot-id …"
        case ["vods", vod, "twitch-clips.json"]:
            return f"lolhl download … --name {vod} --twitch-clips"
        case ["vods", vod, *_]:
            return f"lolhl download … --name {vod}"
        case ["frames", vod, name, *_]:
            settings = frame_set_settings(name)
            options = [f"--{setting} {value}" for setting, value in settings.items()] if settings else ["…"]
            return " ".join(["lolhl extract", vod, *options])
        case ["tracks", vod, *_]:
            return f"lolhl track {vod}"
        case ["datasets" | "models", name, *_] if name.startswith(RETRAINED) or name == "champion.json":
            return "lolhl retrain"
        case ["datasets", name, *_]:
            return f"lolhl dataset {name} …"
        case ["models", name, *_]:
            return f"lolhl train {name} …"
        case ["clock-places", *_]:
            return "lolhl clock … --box x,y,w,h"
        case ["cameras", *_]:
            return "lolhl report … --camera x,y,w,h"
        case ["highlights", vod, "shorts.json"] | ["highlights", vod, "shorts", *_]:
            return f"lolhl report {vod} --shorts"
        case ["highlights", vod, "corrected", *_]:
            return f"lolhl reel {vod}"
        case ["highlights", vod, file] if file.startswith(("scores.", "scores-")):
            return f"lolhl infer … {vod}"
        case ["highlights", vod, *_]:
            return f"lolhl report {vod}"
        case ["scores", model, vod, *_]:
            return f"lolhl compare {model} --vods {vod}"
        case ["analyses", model, *_]:
            return f"lolhl analyse {model}"
        case ["comparisons", name, *_]:
            return f"lolhl compare … --name {name}"
        case _:
            return "lolhl retrain"


def remake(key: str) -> str:
    """The command that makes the object under this key anew, whatever lies there now."""
    return f"{command(key)} --force"


def _named(folder: str, name: str, kind: str) -> str:
    return f"{folder}/{check_name(name, kind)}/"


def _keys(root: Root, prefix: str) -> list[str]:
    return [stat.key for stat in root.list(prefix)]
