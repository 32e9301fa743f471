import json
from fractions import Fraction
from typing import Any

import pytest

from lolhl.errors import LabelError
from lolhl.labels.label_studio import read_label_studio
from lolhl.labels.rows import KnownVods
from lolhl.labels.spans import Span, on_grid


def region(start: Any, end: Any, *labels: str) -> dict[str, Any]:
    return {
        "id": "aB3",
        "type": "timelinelabels",
        "from_name": "timelineLabels",
        "to_name": "video",
        "origin": "manual",
        "value": {"ranges": [{"start": start, "end": end}], "timelinelabels": list(labels)},
    }


def task(
    *regions: dict[str, Any], video: str = "/data/upload/3/0c3e1f22-1863051677.mp4", **more: Any
) -> dict[str, Any]:
    return {
        "id": 17,
        "annotations": [{"id": 1, "was_cancelled": False, "result": list(regions)}],
        "predictions": [{"result": [region(1, 9999)]}],
        "data": {"video": video},
        **more,
    }


def read(*tasks: Any, fps: Fraction | None = Fraction(24), **more: Any) -> dict[str, list[Span]]:
    return read_label_studio(json.dumps(tasks).encode(), "x.json", fps=fps, **more)


def test_frames_count_from_one_and_the_last_is_part_of_the_range() -> None:
    assert read(task(region(1, 24), region(49, 49, "Kill"))) == {
        "1863051677": [Span(0, 1, "highlight"), Span(2, 2.041, "Kill")]
    }


@pytest.mark.parametrize("fps", [Fraction(3), Fraction(24), Fraction(30000, 1001)])
def test_frames_of_the_grid_keep_their_side_of_the_border(fps: Fraction) -> None:
    """A range of frames n to m of the grid itself covers just these, though labels are in milliseconds."""
    for first, last in ((1, 1), (2, 2), (3, 7), (1000, 1003), (60001, 60002)):
        [span] = read(task(region(first, last)), fps=fps)["1863051677"]
        frames = on_grid([span], last + 5, fps).nonzero()[0]
        assert (frames[0] + 1, frames[-1] + 1) == (first, last)


def test_seconds() -> None:
    assert read(task(region(0, 12.5), region(60, 61)), fps=None) == {"1863051677": [Span(0, 12.5), Span(60, 61)]}


def test_ranges_annotators_and_tasks_are_put_together() -> None:
    two = region(1, 24)
    two["value"]["ranges"].append({"start": 241, "end": 264})
    choice = {"type": "choices", "value": {"choices": ["ranked"]}}
    annotations = [
        {"result": [two, choice]},
        {"result": [region(13, 48)]},
        {"result": [region(500, 600)], "was_cancelled": True},
    ]
    labels = read(task(annotations=annotations), task(region(25, 72)), task(video="s3://b/vods/other/video.mp4"))
    assert labels == {"1863051677": [Span(0, 3), Span(10, 11)], "other": []}


def test_what_nobody_annotated_is_passed_over() -> None:
    assert read(task(annotations=[]), task(annotations=[{"was_cancelled": True, "result": []}])) == {}


@pytest.mark.parametrize(
    ("data", "vod"),
    [
        ({"video": "/data/upload/3/0c3e1f22-1863051677.mp4"}, "1863051677"),
        ({"video": "/data/local-files/?d=streams/1863051677.mp4"}, "1863051677"),
        ({"video": "/data/local-files/?d=root%2Fvods%2F1863051677%2Fvideo.mp4"}, "1863051677"),
        ({"video": "s3://bucket/root/vods/1863051677/video.ts"}, "1863051677"),
        ({"video": "https://host/a%20b/my.stream.mp4?X-Amz-Signature=a/b.c"}, "my.stream"),
        ({"title": "Final", "stream": "https://host/final.mp4"}, "final"),
        ({"video": "final.mp4"}, "final"),
        ({"video": "/data/upload/3/0c3e1f22-x.mp4", "vid_id": 1863051677}, "1863051677"),
    ],
)
def test_the_vod_of_a_task(data: dict[str, Any], vod: str) -> None:
    assert read(task(region(1, 24), data=data)) == {vod: [Span(0, 1)]}


def test_one_vod_for_all_tasks() -> None:
    assert read(task(region(1, 24)), task(region(49, 72), data={}), vod="a") == {"a": [Span(0, 1), Span(2, 3)]}


def broken(**value: Any) -> dict[str, Any]:
    return {"type": "timelinelabels", "value": value}


AT = "x.json: task 17: annotations[0].result[0].value.ranges[0]: "
BAD: dict[str, tuple[Any, str, str]] = {
    "no list": ({"tasks": []}, "x.json: ", "no list of tasks"),
    "a list of numbers": ([1], "x.json: ", "no list of tasks"),
    "JSON-MIN": ([{"id": 5, "video": "a.mp4"}], "x.json: task 5: ", "annotations is no list"),
    "an annotation that is none": ([task(annotations=[7])], "x.json: task 17: annotations[0]", "no annotation"),
    "no result": ([task(annotations=[{}])], "x.json: task 17: annotations[0]: ", "result is no list"),
    "a region that is none": (
        [task(annotations=[{"result": [7]}])],
        "x.json: task 17: annotations[0].result[0]",
        "no region",
    ),
    "no value": ([task({"type": "timelinelabels"})], "x.json: task 17: annotations[0].result[0].value", "missing"),
    "no ranges": ([task(broken())], "x.json: task 17: annotations[0].result[0].value: ", "ranges is no list"),
    "a range that is none": ([task(broken(ranges=[7]))], AT, "its start is no number"),
    "no end": ([task(broken(ranges=[{"start": 1}]))], AT, "its end is no number"),
    "text": ([task(region("1", 24))], AT, "its start is no number"),
    "true": ([task(region(True, 24))], AT, "its start is no number"),
    "infinite": ([task(region(1, float("inf")))], AT, "its end is no number"),
    "a number of hundreds of digits": ([task(region(1, 10**400))], AT, "its end is no number"),
    "a late frame": ([task(region(1, 10**12))], AT, "can lie in no video"),
    "frame 0": ([task(region(0, 24))], AT, "no frames counted from 1: if they are seconds, say so"),
    "half a frame": ([task(region(1.5, 24))], AT, "no frames counted from 1"),
    "inverted": ([task(region(24, 23))], AT, "24 to 23 is inverted"),
    "out of the video": ([task(region(7190, 7300))], AT, "out of the video of VOD 1863051677, which ends at 0:05:00"),
    "the second range": (
        [task(region(1, 24), broken(ranges=[{"start": 1, "end": 2}, {"start": 3, "end": 2}]))],
        "x.json: task 17: annotations[0].result[1].value.ranges[1]: ",
        "inverted",
    ),
    "no data": ([task(data=None)], "x.json: task 17: ", "data is missing"),
    "no video": ([task(data={"text": "a"})], "x.json: task 17: ", "names no video"),
    "no address": ([task(video="http://[::1/a.mp4")], "x.json: task 17: ", "is no address"),
    "unknown VOD": ([task(video="a/other.mp4")], "x.json: task 17: ", "VOD other is unknown"),
    "a VOD that leaves the root": ([task(data={"vid_id": "../a"})], "x.json: task 17: ", "is no name for a VOD"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_element_is_named(case: str) -> None:
    tasks, place, reason = BAD[case]
    with pytest.raises(LabelError) as raised:
        read_label_studio(
            json.dumps(tasks).encode(),
            "x.json",
            KnownVods({"1863051677": 300.0}, allows_unknown=False),
            fps=Fraction(24),
        )
    assert str(raised.value).startswith(place)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("data", "place"),
    [(b"", "x.json:1: "), (b'[\n\n{"id" 1}]', "x.json:3: "), (b"\xff\xfe\x00", "x.json"), (b"[" * 100_000, "x.json")],
)
def test_no_json(data: bytes, place: str) -> None:
    with pytest.raises(LabelError, match="this is no JSON") as raised:
        read_label_studio(data, "x.json", fps=Fraction(24))
    assert str(raised.value).startswith(place)


def test_a_name_with_half_a_character_can_be_stored() -> None:
    assert read(task(region(0, 1, "go \ud83d")), fps=None) == {"1863051677": [Span(0, 1, "go \ufffd")]}
