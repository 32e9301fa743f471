"""FCPXML 1.10: Final Cut Pro, and Resolve from 17 on.

Times are exact fractions of a second, all of them whole frames: of the sequence where a cut lies in it, else of its
video. A video's own times begin at the timecode that is
embedded in it, so a cut's start is the timecode of its first frame. Each cut refers to the whole video and can be
widened.
"""

from xml.etree import ElementTree as Tree

from lolhl.exports.cut_list import CutList, Media, one_line, records
from lolhl.timecode import Rate

_SAMPLE_RATES = {32000: "32k", 44100: "44.1k", 48000: "48k", 88200: "88.2k", 96000: "96k", 192000: "192k"}
_LAYOUTS = {0: "stereo", 1: "mono", 2: "stereo"}


def write(cuts: CutList) -> bytes:
    """A library with one event and one project, whose sequence has the cuts one after the other."""
    root = Tree.Element("fcpxml", version="1.10")
    resources = Tree.SubElement(root, "resources")
    media = list(dict.fromkeys(cut.source for cut in cuts.pieces))
    formats = {key: f"r{number}" for number, key in enumerate(dict.fromkeys(map(_format_key, media)), start=1)}
    assets = {video: f"r{number}" for number, video in enumerate(media, start=len(formats) + 1)}
    for (rate, width, height), name in formats.items():
        Tree.SubElement(
            resources, "format", id=name, frameDuration=_time(1, rate), width=str(width), height=str(height)
        )
    for video, name in assets.items():
        _add_asset(resources, video, name, formats[_format_key(video)])

    first, title = media[0], one_line(cuts.title)
    rate = first.rate
    event = Tree.SubElement(Tree.SubElement(root, "library"), "event", name=title)
    begin = rate.hour
    placed = records(cuts.pieces, begin, rate)
    sequence = Tree.SubElement(
        Tree.SubElement(event, "project", name=title),
        "sequence",
        format=formats[_format_key(first)],
        duration=_time(placed[-1].end - begin, rate),
        tcStart=_time(begin, rate),
        tcFormat="DF" if rate.drops else "NDF",
        audioLayout=_LAYOUTS.get(first.channels, "surround"),
        audioRate=_SAMPLE_RATES.get(first.sample_rate, "48k"),
    )
    spine = Tree.SubElement(sequence, "spine")
    for record in placed:
        cut, video = record.cut, record.cut.source
        clip = Tree.SubElement(
            spine,
            "asset-clip",
            ref=assets[video],
            offset=_time(record.first, rate),
            name=cut.name,
            start=_time(video.first_frame + cut.first, video.rate),
            duration=_time(record.frames, rate),
            format=formats[_format_key(video)],
            tcFormat="DF" if video.drop else "NDF",
        )
        if video.channels:
            clip.set("audioRole", "dialogue")
        Tree.SubElement(clip, "note").text = one_line(cut.reason)
    Tree.indent(root)
    body = Tree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n\n{body}\n'.encode()


def _format_key(video: Media) -> tuple[Rate, int, int]:
    return video.rate, video.width, video.height


def _add_asset(resources: Tree.Element, video: Media, name: str, video_format: str) -> None:
    asset = Tree.SubElement(
        resources,
        "asset",
        id=name,
        name=one_line(video.name),
        start=_time(video.first_frame, video.rate),
        duration=_time(video.frames, video.rate),
        hasVideo="1",
        format=video_format,
        videoSources="1",
    )
    if video.channels:
        asset.set("hasAudio", "1")
        asset.set("audioSources", "1")
        asset.set("audioChannels", str(video.channels))
        asset.set("audioRate", str(video.sample_rate))
    Tree.SubElement(asset, "media-rep", kind="original-media", src=video.address)


def _time(frames: int, rate: Rate) -> str:
    """So many frames as a fraction of a second, in the timescale of the rate."""
    ticks, scale = frames * rate.fps.denominator, rate.fps.numerator
    return f"{ticks // scale}s" if ticks % scale == 0 else f"{ticks}/{scale}s"
