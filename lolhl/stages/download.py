"""download: a Twitch VOD, a video file on the web or a local one → vods/<vod>/.

What is fetched lies in a folder of its own until the VOD is stored whole. A run that follows a killed one goes on
with what lies there.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lolhl import layout, manifest
from lolhl.config import setting
from lolhl.errors import UsageError
from lolhl.labels.spans import Span
from lolhl.manifest import Manifest, Output
from lolhl.results import Vod
from lolhl.stages.origins import Fetched, Origin, Wanted, find_origin
from lolhl.stages.resumable_folder import open_resumable_folder
from lolhl.stages.twitch_clips import twitch_clips
from lolhl.storage import Root, check_new
from lolhl.vod import twitch
from lolhl.vod.probe import VideoInfo, probe

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DownloadConfig(Wanted):
    """What of a video is stored, and what is asked besides."""

    twitch_clips: bool = setting(
        False,
        "ask Twitch which clips viewers made of the VOD, and store where they lie; asked anew each time",
        neutral=True,
    )


def download(
    root: Root,
    source: str,
    config: DownloadConfig = DownloadConfig(),
    *,
    name: str | None = None,
    force: bool = False,
    watch: twitch.Watch | None = None,
) -> Manifest[Vod]:
    """Makes vods/<vod>/ from a video.

    Args:
        root: where the data lies.
        source: address or id of a Twitch VOD, http(s) address of a video file, or a path.
        config: see `DownloadConfig`.
        name: of the VOD; else its id on Twitch, or what its file is called.
        force: redo what is done; also replaces a VOD of this name that came from elsewhere.
        watch: called with the segments of a whole Twitch VOD while others come, see `twitch.fetch`. They
            may be gone when the VOD is stored.

    Returns:
        The VOD's manifest. Time 0 of a part is its first picture, which lies `offset` seconds into
        the whole. Chapters, comments and `muted` stretches are in seconds from time 0.
        The result also says which `rendition` of a Twitch VOD is stored (name, group, width, height, fps,
        is_source; None for other videos), which `qualities` there are (a list of the same), when its recording began
        (`recorded_at`), and the timestamp of the VOD's time 0 (`clock`, in seconds), by which other renditions are
        aligned with this one.

    Raises:
        UsageError: the source is nothing of that kind, the name is taken, or the part holds no picture.
        TwitchError, VideoError: the video cannot be had, or is none.
    """
    stored = _download(root, source, config, name=name, force=force, watch=watch)
    if config.twitch_clips:
        twitch_clips(root, stored)
    return stored


def _download(
    root: Root, source: str, config: DownloadConfig, *, name: str | None, force: bool, watch: twitch.Watch | None
) -> Manifest[Vod]:
    """Makes the VOD itself."""
    origin = find_origin(source)
    vod = origin.name if name is None else name
    key = layout.vod(vod)
    check_new(root, key, vod, "VOD")
    before = manifest.intact(root, key, Vod) if force else manifest.find(root, key, Vod)
    inputs = origin.inputs()
    _, earlier = manifest.plan(root, key, Vod, config, inputs, force=force)
    if earlier:
        return earlier
    if before and not force and _is_done(before, inputs, config):
        log.info("download: done already (%s)", key)
        return before
    if before and not force and before.result.source != origin.source:
        raise UsageError(
            f"VOD {vod} is there already, from {before.result.source}: choose another name (--name), or --force to "
            "replace it"
        )
    with open_resumable_folder(root, "downloads", vod) as folder:
        # Planned anew: a run that this one waited for may have done the work.
        todo, earlier = manifest.plan(root, key, Vod, config, inputs, force=force)
        if earlier:
            return earlier
        fetched = origin.fetch(folder, config, watch)
        info = probe(fetched.video)
        with todo.begin() as begun:
            outputs = [_store_video(root, fetched, layout.video(vod, fetched.suffix))]
            if fetched.comments is not None:
                outputs.append(_write_chat(root, vod, fetched, info.duration))
            stored = begun.finish(_result(vod, origin, fetched, info), outputs)
        for old in {output.key for output in before.outputs} - {output.key for output in outputs} if before else ():
            root.delete(old)
        if before and before.result.source != origin.source:
            for left in list(root.list(layout.source_folder(vod))):  # stretches of another VOD
                root.delete(left.key)
        shutil.rmtree(folder.path)
    return stored


def _result(vod: str, origin: Origin, fetched: Fetched, info: VideoInfo) -> Vod:
    """What is known of the VOD, once its video is here."""
    return Vod(
        vod=vod,
        title=fetched.title,
        source=origin.source,
        twitch_id=fetched.twitch_id,
        channel=fetched.channel,
        offset=fetched.offset,
        recorded_at=fetched.recorded_at,
        clock=fetched.clock,
        rendition=fetched.rendition,
        qualities=list(fetched.qualities),
        video=layout.video(vod, fetched.suffix),
        duration=info.duration,
        width=info.width,
        height=info.height,
        fps=info.fps,
        chapters=list(_shifted(fetched.chapters, fetched.offset, info.duration)),
        muted=list(_shifted(fetched.muted, fetched.offset, info.duration)),
        chat=layout.chat(vod) if fetched.comments is not None else None,
    )


def _is_done(before: Manifest[Vod], inputs: dict[str, str], config: DownloadConfig) -> bool:
    """Whether what is stored is what is asked for in other words, as by another name of its rendition."""
    asked = config.recorded()
    if before.inputs != inputs or any(before.config.get(name) != asked[name] for name in ("start", "stop", "chat")):
        return False
    stored = before.result
    if stored.twitch_id is None:  # a file has one quality
        return True
    if config.quality == "auto":
        return min(stored.width, stored.height) >= config.serves and stored.fps >= config.serves_fps
    rendition = stored.rendition
    if rendition is None:  # downloaded by lolhl 0.1
        return False
    return config.quality in (rendition.name, rendition.group) or (config.quality == "source" and rendition.is_source)


def _store_video(root: Root, fetched: Fetched, key: str) -> Output:
    if fetched.sha256 is None:
        return Output.upload(root, fetched.video, key)
    output = Output(key, fetched.video.stat().st_size, fetched.sha256)
    root.upload(fetched.video, key)
    return output


def _write_chat(root: Root, vod: str, fetched: Fetched, duration: float) -> Output:
    """{"vod", "comments": [{"time", "user", "text"}]}, times in seconds of the stored video."""
    lines = [
        {"time": time, "user": comment.user, "text": comment.text}
        for comment in fetched.comments or ()
        if 0 <= (time := round(comment.time - fetched.offset, 3)) < duration
    ]
    text = json.dumps({"vod": vod, "comments": lines}, ensure_ascii=False)
    key, data = layout.chat(vod), text.encode(errors="replace")  # half a character is none
    root.write(key, data)
    return Output.from_bytes(key, data)


def _shifted(spans: Sequence[Span], offset: float, duration: float) -> Iterator[Span]:
    """The same spans in seconds of the stored video. What lies outside it is left out."""
    for span in spans:
        start, stop = max(0.0, span.start - offset), min(duration, span.stop - offset)
        if start < stop:
            yield Span(round(start, 3), round(stop, 3), span.name)
