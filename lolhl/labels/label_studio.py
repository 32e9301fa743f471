"""Labels from Label Studio: TimelineLabels in an export of the kind "JSON".

The ranges of a TimelineLabels region are frames, counted from 1, end included, at the `frameRate` of
the labelling configuration (24 unless it is set there), which is not the video's frame rate and does
not stand in the export. Some files hold seconds all the same. So the caller has to say which it is.
"""

import json
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from lolhl.errors import LabelError
from lolhl.labels.rows import ANY, LONGEST, KnownVods, check_vod, checked
from lolhl.labels.spans import Span, merge

_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # Label Studio puts this before the name of an uploaded file


def read_label_studio(
    data: bytes, name: str, known: KnownVods = ANY, *, fps: Fraction | None, vod: str | None = None
) -> dict[str, list[Span]]:
    """The spans of each VOD, in order of time, overlaps merged; those of several annotators put together.

    A task's VOD is what its data calls `vid_id`; else the name of its video file without its ending,
    or of that file's folder when the file is called `video`, as under a root. A task that was
    annotated without a region is a VOD without highlights; one that nobody annotated is passed over.

    Args:
        data: the file's bytes.
        name: of the file, for messages.
        fps: the frame rate of the labelling configuration; None where the ranges are seconds.
        vod: the VOD of all tasks, whatever their data says.

    Raises:
        LabelError: the file is no such export, or a range is malformed, empty, inverted, out of the
            video or of an unknown VOD; the message names file, task and the path to the element.
    """
    tasks = _tasks(data, name)
    spans_by_vod: dict[str, list[Span]] = {}
    for index, task in enumerate(tasks):
        place = f"{name}: task {task.get('id', f'at place {index + 1}')}"
        annotations = _list(task, "annotations", place)
        valid = {
            f"annotations[{i}]": annotation for i, annotation in enumerate(annotations) if not _is_cancelled(annotation)
        }
        if not valid:
            continue
        task_vod = vod if vod is not None else _vod(task, place)
        check_vod(task_vod, known, place)
        spans = spans_by_vod.setdefault(task_vod, [])
        for annotation_path, annotation in valid.items():
            for path, value, label in _regions(annotation, annotation_path, place):
                span = _span(value, label, fps, f"{place}: {path}")
                spans.append(checked(span, task_vod, known, f"{place}: {path}"))
    return {task_vod: merge(spans) for task_vod, spans in spans_by_vod.items()}


def _tasks(data: bytes, name: str) -> list[dict[str, Any]]:
    try:
        tasks = json.loads(data)
    except (ValueError, RecursionError) as error:
        at = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise LabelError(f"{name}{at}: this is no JSON: export the project from Label Studio as JSON") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise LabelError(f"{name}: this is no list of tasks: export the project from Label Studio as JSON")
    return tasks


def _is_cancelled(annotation: Any) -> bool:
    """Whether the annotator skipped the task."""
    return isinstance(annotation, dict) and bool(annotation.get("was_cancelled"))


def _regions(annotation: Any, path: str, place: str) -> Iterator[tuple[str, Any, str]]:
    """Path, range and label of each range of each timeline region."""
    if not isinstance(annotation, dict):
        raise LabelError(f"{place}: {path} is no annotation")
    for i, region in enumerate(_list(annotation, "result", f"{place}: {path}")):
        at = f"{path}.result[{i}]"
        if not isinstance(region, dict):
            raise LabelError(f"{place}: {at} is no region")
        if str(region.get("type")).lower() != "timelinelabels":
            continue  # choices, texts and the like say nothing about spans
        value = region.get("value")
        if not isinstance(value, dict):
            raise LabelError(f"{place}: {at}.value is missing")
        labels = value.get("timelinelabels")
        label = str(labels[0]) if isinstance(labels, list) and labels else "highlight"
        for j, span_range in enumerate(_list(value, "ranges", f"{place}: {at}.value")):
            yield f"{at}.value.ranges[{j}]", span_range, label


def _span(value: Any, label: str, fps: Fraction | None, place: str) -> Span:
    start, end = (_number(value, side, place) for side in ("start", "end"))
    if end < start:
        raise LabelError(f"{place}: {start:g} to {end:g} is inverted: its end must not be before its start")
    name = " ".join(label.split()) or "highlight"
    if fps is None:
        return Span(start, end, name)
    if start < 1 or start != int(start) or end != int(end):
        raise LabelError(f"{place}: {start:g} to {end:g} are no frames counted from 1: if they are seconds, say so")
    if end > LONGEST * 240:
        raise LabelError(f"{place}: frame {end:g} can lie in no video")
    # The last frame is part of the range, so the span stops where the next one begins.
    return Span(float((int(start) - 1) / fps), float(int(end) / fps), name)


def _number(value: Any, side: str, place: str) -> float:
    number = value.get(side) if isinstance(value, dict) else None
    try:
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
            return float(number)
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise LabelError(f"{place}: its {side} is no number")


def _vod(task: dict[str, Any], place: str) -> str:
    data = task.get("data")
    if not isinstance(data, dict):
        raise LabelError(f"{place}: data is missing")
    if data.get("vid_id"):
        return str(data["vid_id"])
    video = data.get("video") or next((v for v in data.values() if isinstance(v, str) and "/" in v), None)
    if not isinstance(video, str):
        raise LabelError(f"{place}: data names no video and no vid_id: say which VOD it is")
    try:
        url = urlsplit(video)
    except ValueError:
        raise LabelError(f"{place}: data.video {video[:60]!r} is no address") from None
    path = parse_qs(url.query).get("d", [unquote(url.path)])[0]  # ?d= is where local files are named
    *folders, file = ["", *path.split("/")]
    stem = _UPLOADED.sub("", file).rpartition(".")[0] or file
    return folders[-1] if stem == "video" else stem


def _list(value: dict[str, Any], key: str, place: str) -> list[Any]:
    entries = value.get(key)
    if not isinstance(entries, list):
        raise LabelError(f"{place}: {key} is no list: export the project from Label Studio as JSON")
    return entries
