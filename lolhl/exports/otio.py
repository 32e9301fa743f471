"""OpenTimelineIO's own format (.otio), which Resolve from 18.5, Kdenlive and many tools of studios read."""

import opentimelineio as otio

from lolhl.exports.cut_list import Cut, CutList, Media, one_line
from lolhl.timecode import Rate


def write(cuts: CutList) -> bytes:
    """A timeline with a track of pictures and, where there is sound, one of sound: the cuts one after the other."""
    rate = cuts.pieces[0].source.rate
    timeline = otio.schema.Timeline(one_line(cuts.title), global_start_time=_time(rate.hour, rate))
    video = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    video.extend([_clip(cut) for cut in cuts.pieces])
    timeline.tracks.append(video)
    if any(cut.source.channels for cut in cuts.pieces):
        audio = otio.schema.Track("A1", kind=otio.schema.TrackKind.Audio)
        audio.extend([_clip(cut) if cut.source.channels else _gap(cut) for cut in cuts.pieces])
        timeline.tracks.append(audio)
    text: str = otio.adapters.write_to_string(timeline, "otio_json", indent=1)
    return (text + "\n").encode()


def _clip(cut: Cut) -> otio.schema.Clip:
    video = cut.source
    metadata = {"rank": cut.rank, "reason": one_line(cut.reason), "fps": str(video.rate.fps)}
    if cut.span.score is not None:
        metadata["score"] = cut.span.score
    return otio.schema.Clip(
        cut.name,
        media_reference=otio.schema.ExternalReference(video.address, _range(video, 0, video.frames)),
        source_range=_range(video, cut.first, cut.frames),
        metadata={"lolhl": metadata},
    )


def _gap(cut: Cut) -> otio.schema.Gap:
    return otio.schema.Gap(
        source_range=otio.opentime.TimeRange(_time(0, cut.source.rate), _time(cut.frames, cut.source.rate))
    )


def _range(video: Media, first: int, frames: int) -> otio.opentime.TimeRange:
    """Frames of a video, by the timecode that is embedded in it."""
    return otio.opentime.TimeRange(_time(video.first_frame + first, video.rate), _time(frames, video.rate))


def _time(frame: int, rate: Rate) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(frame, float(rate.fps))
