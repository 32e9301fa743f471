"""Final Cut Pro 7 XML (xmeml 5): Premiere Pro, Resolve, Vegas and others.

A cut's in and out are frames from the begin of its file, whatever timecode is embedded there; that stands with the
file. Its start and end are frames of the sequence, whose rate is that of the first file. Sound is linked to its
picture, a track for each channel. Each cut refers to the whole file and can be widened.
"""

from xml.etree import ElementTree as Tree

from lolhl.exports.cut_list import Cut, CutList, Media, Record, one_line, records
from lolhl.timecode import Rate, format_timecode


def write(cuts: CutList) -> bytes:
    """A sequence with the cuts one after the other."""
    first = cuts.pieces[0].source
    rate = first.rate
    root = Tree.Element("xmeml", version="5")
    sequence = Tree.SubElement(root, "sequence", id="sequence-1")
    _text(sequence, "name", one_line(cuts.title))
    placed = records(cuts.pieces, 0, rate)
    _text(sequence, "duration", placed[-1].end)
    _add_rate(sequence, rate)
    _add_timecode(sequence, rate, rate.hour, rate.drops)
    media = Tree.SubElement(sequence, "media")
    video = Tree.SubElement(media, "video")
    _add_picture(Tree.SubElement(video, "format"), first)
    files = {video: f"file-{number}" for number, video in enumerate(dict.fromkeys(c.source for c in cuts.pieces), 1)}
    channels = max(cut.source.channels for cut in cuts.pieces)
    described: set[str] = set()

    track = Tree.SubElement(video, "track")
    for number, record in enumerate(placed, start=1):
        cut, item = record.cut, _add_item(track, number, 0, record)
        _add_file(item, files[cut.source], cut.source, described)
        _add_links(item, number, cut)
        _text(Tree.SubElement(item, "comments"), "mastercomment1", one_line(cut.reason))
    if channels:
        audio = Tree.SubElement(media, "audio")
        _text(audio, "numOutputChannels", min(channels, 2))
        _add_sound(Tree.SubElement(audio, "format"), first)
    for channel in range(1, channels + 1):
        track = Tree.SubElement(audio, "track")
        for number, record in enumerate(placed, start=1):
            cut = record.cut
            if channel <= cut.source.channels:
                item = _add_item(track, number, channel, record)
                _add_file(item, files[cut.source], cut.source, described)
                source = Tree.SubElement(item, "sourcetrack")
                _text(source, "mediatype", "audio")
                _text(source, "trackindex", channel)
                _add_links(item, number, cut)
    Tree.indent(root)
    body = Tree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n{body}\n'.encode()


def _add_item(track: Tree.Element, number: int, channel: int, record: Record) -> Tree.Element:
    """A piece of a track. `channel` is 0 for the picture."""
    cut = record.cut
    item = Tree.SubElement(track, "clipitem", id=_item_name(number, channel))
    _text(item, "name", cut.name)
    _text(item, "enabled", "TRUE")
    _text(item, "duration", cut.source.frames)
    _add_rate(item, cut.source.rate)
    for name, frame in (("start", record.first), ("end", record.end), ("in", cut.first), ("out", cut.end)):
        _text(item, name, frame)
    return item


def _item_name(number: int, channel: int) -> str:
    return f"clipitem-{number}-{f'a{channel}' if channel else 'v'}"


def _add_links(item: Tree.Element, number: int, cut: Cut) -> None:
    """Names what belongs together: the picture and all channels of its sound."""
    for channel in range(cut.source.channels + 1 if cut.source.channels else 0):
        link = Tree.SubElement(item, "link")
        _text(link, "linkclipref", _item_name(number, channel))
        _text(link, "mediatype", "audio" if channel else "video")
        _text(link, "trackindex", channel or 1)
        _text(link, "clipindex", number)
        if channel:
            _text(link, "groupindex", 1)


def _add_file(item: Tree.Element, name: str, video: Media, described: set[str]) -> None:
    """The file that the piece is of. It is described where it comes first; later its name is enough."""
    file = Tree.SubElement(item, "file", id=name)
    if name in described:
        return
    described.add(name)
    _text(file, "name", one_line(video.name))
    # Premiere names the host; what has no scheme is a relative address.
    _text(file, "pathurl", video.address.replace("file:///", "file://localhost/", 1))
    _add_rate(file, video.rate)
    _text(file, "duration", video.frames)
    _add_timecode(file, video.rate, video.first_frame, video.drop)
    media = Tree.SubElement(file, "media")
    picture = Tree.SubElement(media, "video")
    _text(picture, "duration", video.frames)
    _add_picture(picture, video)
    if video.channels:
        sound = Tree.SubElement(media, "audio")
        _add_sound(sound, video)
        _text(sound, "channelcount", video.channels)


def _add_picture(parent: Tree.Element, video: Media) -> None:
    picture = Tree.SubElement(parent, "samplecharacteristics")
    _add_rate(picture, video.rate)
    _text(picture, "width", video.width)
    _text(picture, "height", video.height)
    _text(picture, "anamorphic", "FALSE")
    _text(picture, "pixelaspectratio", "square")
    _text(picture, "fielddominance", "none")


def _add_sound(parent: Tree.Element, video: Media) -> None:
    sound = Tree.SubElement(parent, "samplecharacteristics")
    _text(sound, "depth", 16)
    _text(sound, "samplerate", video.sample_rate or 48000)


def _add_rate(parent: Tree.Element, rate: Rate) -> None:
    element = Tree.SubElement(parent, "rate")
    _text(element, "timebase", rate.frames)
    _text(element, "ntsc", "TRUE" if rate.is_ntsc else "FALSE")


def _add_timecode(parent: Tree.Element, rate: Rate, frame: int, drop: bool) -> None:
    element = Tree.SubElement(parent, "timecode")
    _add_rate(element, rate)
    _text(element, "string", format_timecode(frame, rate, drop=drop))
    _text(element, "frame", frame)
    _text(element, "displayformat", "DF" if drop else "NDF")


def _text(parent: Tree.Element, name: str, value: str | int) -> None:
    Tree.SubElement(parent, name).text = str(value)
