"""The review page's server: who is let in, what is given out, and what is saved."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolhl import layout
from lolhl.exports.formats import FORMATS
from lolhl.labels.store import load_labels
from lolhl.review.corrections import load_corrections
from lolhl.review.files import parse_range
from lolhl.review.places import load_place
from lolhl.stages.export import ExportConfig, export
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root
from tests.review.served import Answer, Served, serving
from tests.streams import action_video

ACCEPTED = {"start": 7.0, "stop": 13.5, "verdict": "accepted", "was": [7.0, 13.0]}
PAGE = "/highlights/stream/report.html"


def test_the_address_opens_the_page_once(served: Served) -> None:
    path = served.session.address.removeprefix(served.url)
    opened = served.ask("GET", path)
    assert opened.status == 303
    assert opened.headers["location"] == "/"
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith(f"lolhl-{served.session.port}={served.session.secret};")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Max-Age=2592000" in cookie  # the browser may be closed meanwhile
    assert served.ask("GET", path).status == 401
    listed = served.known("GET", "/")
    assert listed.status == 200
    assert f'<a href="{PAGE}">' in listed.text
    assert "3 highlights" in listed.text


@pytest.mark.parametrize(
    "path",
    ["/", "/open/", "/open/guess", PAGE, "/vods/stream/vod.json", "/exports/stream/csv", "/jobs/last", "/nothing"],
)
def test_a_stranger_sees_nothing(served: Served, path: str) -> None:
    for cookie in ("", "lolhl-1=x", f"lolhl-{served.session.port}=guess"):
        refused = served.ask("GET", path, cookie=cookie)
        assert refused.status == 401
        assert "`lolhl review`" in refused.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", ""])
def test_another_host_name_is_refused_with_the_cookie_too(served: Served, host: str) -> None:
    for path in ("/", PAGE):
        assert served.known("GET", path, host=host).status == 400


def test_a_change_needs_the_page_s_own_header(served: Served, root: Root) -> None:
    body = json.dumps({"revision": 0, "spans": [ACCEPTED]}).encode()
    for headers in ({}, {"x_lolhl_review": "0"}):
        assert served.known("PUT", "/reviews/stream", body, **headers).status == 403
    assert served.ask("PUT", "/reviews/stream", body, x_lolhl_review="1").status == 401
    assert load_corrections(root, "stream")[0].revision == 0


def test_corrections_come_back_with_the_page(served: Served) -> None:
    saved = served.put("/reviews/stream", {"revision": 0, "spans": [ACCEPTED]})
    assert (saved.status, json.loads(saved.body)) == (200, {"revision": 1, "stretches": [[2.0, 18.5]]})
    text = served.known("GET", PAGE).text
    review = json.loads(text.partition('id="review">')[2].partition("</script>")[0])
    assert review["revision"] == 1
    assert review["spans"] == [ACCEPTED]
    assert "connect-src 'self'" in text


def test_of_two_tabs_none_overwrites_the_other(served: Served, root: Root) -> None:
    assert served.put("/reviews/stream", {"revision": 0, "spans": [ACCEPTED]}).status == 200
    second = served.put("/reviews/stream", {"revision": 0, "spans": []})
    assert second.status == 409
    assert "load the page again" in second.text
    assert len(load_corrections(root, "stream")[0].spans) == 1


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "no corrections"),
        (b"[" * 100_000, "no corrections"),
        (b'{"revision": 0}x', "no corrections"),
        (b'{"revision": -1, "spans": []}', "no corrections"),
        (json.dumps({"revision": 0, "spans": [{**ACCEPTED, "stop": 7.0}]}).encode(), "starts at 7 s stops at 7 s"),
        (json.dumps({"revision": 0, "spans": [{**ACCEPTED, "stop": 700.0}]}).encode(), "the stream at 60 s"),
        (json.dumps({"revision": 0, "spans": [{**ACCEPTED, "start": -1}]}).encode(), "no corrections"),
        (b'{"revision": 0, "spans": [{"start": NaN, "stop": 3, "verdict": "accepted"}]}', "no corrections"),
        (json.dumps({"revision": 0, "spans": [{**ACCEPTED, "verdict": "perhaps"}]}).encode(), "no corrections"),
        (json.dumps({"revision": 0, "spans": [{**ACCEPTED, "evil": 1}]}).encode(), "no corrections"),
    ],
)
def test_what_is_no_correction_is_refused_in_one_line(served: Served, root: Root, body: bytes, what: str) -> None:
    refused = served.known("PUT", "/reviews/stream", body, x_lolhl_review="1")
    assert refused.status == 400
    assert what in refused.text
    assert refused.text.count("\n") == 1
    assert root.stat(layout.corrections("stream")) is None


def test_a_request_without_end_is_refused(served: Served) -> None:
    assert served.known("PUT", "/reviews/stream", b" " * 8_000_001, x_lolhl_review="1").status == 413


@pytest.mark.parametrize("vod", ["none", "..", "%2e%2e", "a%2Fb", "%00"])
def test_a_vod_that_is_not_there(served: Served, root: Root, vod: str) -> None:
    assert served.put(f"/reviews/{vod}", {"revision": 0, "spans": []}).status in (400, 404, 405)
    assert not list(root.list("reviews/"))


@pytest.mark.parametrize("form", FORMATS)
def test_highlights_are_exported_as_a_download(served: Served, root: Root, form: str) -> None:
    before = {stat.key: stat.etag for stat in root.list()}
    answer = served.known("GET", f"/exports/stream/{form}")
    assert {stat.key: stat.etag for stat in root.list()} == before
    if form == "youtube-reel":  # there is no reel
        assert (answer.status, answer.text.count("\n")) == (422, 1)
        return
    assert answer.status == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="stream-{FORMATS[form].file}"'
    (file,) = export(root, "stream", ExportConfig(format=form))
    assert answer.body == root.read(file.key)


@pytest.mark.parametrize("path", ["stream/all", "stream/nothing", "none/csv", "%2e%2e/csv", "a%22b/csv"])
def test_what_cannot_be_exported_is_refused_in_one_line(served: Served, path: str) -> None:
    refused = served.known("GET", f"/exports/{path}")
    assert refused.status in (400, 404)
    assert refused.text.count("\n") == 1
    assert "content-disposition" not in refused.headers


def lists(served: Served) -> dict[str, object]:
    text = served.known("GET", PAGE).text
    return dict(json.loads(text.partition('id="review">')[2].partition("</script>")[0])["feeds"])


def test_a_page_whose_scores_are_gone_is_shown_without_lists(served: Served, root: Root) -> None:
    assert lists(served)["problem"] is None
    assert len(lists(served)["lists"]) == 4  # type: ignore[arg-type]
    for stat in [*root.list("highlights/stream/scores")]:
        root.delete(stat.key)
    assert lists(served)["lists"] == []
    assert "is gone since highlights were cut from it: run `lolhl infer … stream --force`" in str(
        lists(served)["problem"]
    )


def test_streams_whose_corrections_are_no_labels_are_named(served: Served) -> None:
    def waiting() -> object:
        return json.loads(served.known("GET", "/waiting").body)["waiting"]

    assert waiting() == []
    served.put("/reviews/stream", {"revision": 0, "spans": [ACCEPTED]})
    assert waiting() == [{"vod": "stream", "title": "A stream", "page": PAGE, "corrections": 1}]
    served.put("/labels/stream", {"revision": 1, "spans": [ACCEPTED]})
    assert waiting() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"verb": "rollback"}',
        b'{"verb": "retrain", "like": "x"}',
        b'{"verb": "run"}',
        b'{"verb": "run", "stream": 3}',
        b'{"verb": "run", "stream": "a.mp4", "force": true}',
        b'{"verb": "shorts"}',
        b'{"verb": "shorts", "vod": "stream", "top": 0}',
        b'{"verb": "shorts", "vod": "stream", "top": "1 --force"}',
        b'{"verb": "shorts", "vod": "stream", "camera": "none"}',
        json.dumps({"verb": "shorts", "vod": "stream", "title": "x" * 201}).encode(),
        json.dumps({"verb": "run", "stream": "x" * 4097}).encode(),
        b"[" * 9999,
    ],
)
def test_what_is_no_job_is_refused_in_one_line(served: Served, body: bytes) -> None:
    refused = served.known("POST", "/jobs", body, x_lolhl_review="1")
    assert refused.status == 400
    assert refused.text.startswith("this is no job: ")
    assert refused.text.count("\n") == 1
    assert json.loads(served.known("GET", "/jobs/last").body) == {"job": None}


@pytest.mark.parametrize("stream", ["", "  ", "a\0b", "a\nb", "\x1b[2J"])
def test_what_is_no_stream_is_refused_in_one_line(served: Served, stream: str) -> None:
    refused = served.known("POST", "/jobs", json.dumps({"verb": "run", "stream": stream}).encode(), x_lolhl_review="1")
    assert (refused.status, refused.text.count("\n")) == (400, 1)
    assert "name a stream" in refused.text


def test_a_stream_can_be_given_a_name(served: Served, tmp_path: Path) -> None:
    film = action_video(tmp_path / "日本.mp4", [], seconds=2)

    def begin(name: str) -> Answer:
        wish = {"verb": "run", "stream": str(film), "name": name}
        return served.known("POST", "/jobs", json.dumps(wish).encode(), x_lolhl_review="1")

    assert (begin("\x1b").status, begin("a b").status) == (400, 200)
    deadline = time.monotonic() + 60
    while (job := json.loads(served.known("GET", "/jobs/last").body)["job"])["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "'a b' is no name for a VOD" in job["error"]


def test_a_stream_is_never_taken_for_an_option(served: Served) -> None:
    body = json.dumps({"verb": "run", "stream": "--force", "model": "--quiet"}).encode()
    assert served.known("POST", "/jobs", body, x_lolhl_review="1").status == 200
    deadline = time.monotonic() + 60
    while (job := json.loads(served.known("GET", "/jobs/last").body)["job"])["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert job["state"] == "failed"
    assert "'--quiet' is no name for a model" in job["error"]


@pytest.mark.parametrize(
    ("wanted", "status", "message"),
    [
        ({"vod": "stream", "title": "a\0b"}, 400, "the title of shorts holds characters that cannot be drawn"),
        ({"vod": "nothing"}, 404, "lolhl report nothing"),
        ({"vod": "../stream"}, 400, "is no name for a VOD"),
        ({"vod": "--force"}, 400, "is no name for a VOD"),
    ],
)
def test_shorts_that_cannot_be_made_are_refused_in_one_line(
    served: Served, wanted: dict[str, str], status: int, message: str
) -> None:
    body = json.dumps({"verb": "shorts", **wanted}).encode()
    refused = served.known("POST", "/jobs", body, x_lolhl_review="1")
    assert (refused.status, refused.text.count("\n")) == (status, 1)
    assert message in refused.text
    assert json.loads(served.known("GET", "/jobs/last").body) == {"job": None}


def test_a_job_is_begun_and_cancelled_by_the_page_alone(served: Served) -> None:
    body = b'{"verb": "retrain"}'
    assert served.known("POST", "/jobs", body).status == 403
    assert served.ask("POST", "/jobs", body, x_lolhl_review="1").status == 401
    assert served.known("DELETE", "/jobs/1").status == 403
    assert served.known("DELETE", "/jobs/1", x_lolhl_review="1").status == 404
    assert json.loads(served.known("GET", "/jobs/last").body) == {"job": None}


def test_a_camera_is_kept_for_the_channel_and_comes_back_with_the_page(served: Served, root: Root) -> None:
    def camera() -> dict[str, object]:
        text = served.known("GET", PAGE).text
        return dict(json.loads(text.partition('id="review">')[2].partition("</script>")[0])["camera"])

    before = camera()
    assert (before["revision"], before["rectangle"], before["channel"]) == (0, None, None)
    saved = served.put(str(before["url"]), {"revision": 0, "rectangle": [0.75, 0.7, 0.25, 0.3]})
    assert (saved.status, json.loads(saved.body)) == (200, {"revision": 1})
    assert camera()["rectangle"] == [0.75, 0.7, 0.25, 0.3]
    assert load_place(root, "cameras/vod-stream.json")[0].revision == 1
    late = served.put(str(before["url"]), {"revision": 0, "rectangle": None})
    assert late.status == 409
    assert "load the page again" in late.text
    assert camera()["rectangle"] == [0.75, 0.7, 0.25, 0.3]
    assert served.put(str(before["url"]), {"revision": 1, "rectangle": None}).status == 200
    assert (camera()["revision"], camera()["rectangle"]) == (2, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 100_000,
        b'{"revision": -1}',
        b'{"revision": 0, "rectangle": [0, 0, 1]}',
        b'{"revision": 0, "rectangle": [0, 0, 1, 1.1]}',
        b'{"revision": 0, "rectangle": [0, 0, 1e999, 1]}',
        b'{"revision": 0, "rectangle": [0.5, 0.5, 0.001, 0.5]}',
        b'{"revision": 0, "rectangle": [0, 0, 1, 1], "channel": "x"}',
    ],
)
def test_what_is_no_camera_is_refused_in_one_line(served: Served, root: Root, body: bytes) -> None:
    refused = served.known("PUT", "/cameras/stream", body, x_lolhl_review="1")
    assert (refused.status, refused.text.count("\n")) == (400, 1)
    assert list(root.list("cameras/")) == []


def test_a_camera_is_set_by_the_page_alone_and_for_a_vod_that_is_there(served: Served, root: Root) -> None:
    body = b'{"revision": 0, "rectangle": [0, 0, 0.5, 0.5]}'
    assert served.known("PUT", "/cameras/stream", body).status == 403
    assert served.ask("PUT", "/cameras/stream", body, x_lolhl_review="1").status == 401
    for vod in ("none", "..", "%2e%2e", "a%2Fb", "%00"):
        assert served.known("PUT", f"/cameras/{vod}", body, x_lolhl_review="1").status in (400, 404, 405)
    assert list(root.list("cameras/")) == []


def test_a_damaged_camera_is_told_and_leaves_the_page(served: Served, root: Root) -> None:
    root.write("cameras/vod-stream.json", b"{")
    text = served.known("GET", PAGE).text
    assert "set the camera anew" in text
    assert served.put("/cameras/stream", {"revision": 0, "rectangle": None}).status == 500
    assert root.read("cameras/vod-stream.json") == b"{"


def test_shorts_are_given_out(served: Served, root: Root) -> None:
    made = report(root, "stream", ReportConfig(clips="none", shorts=True, shorts_top=1, shorts_height=320))
    (key,) = [highlight.short for highlight in made.result.highlights if highlight.short]
    answer = served.known("GET", f"/{key}")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "video/mp4", root.read(key))


def test_labels_are_put_in_place(served: Served, root: Root) -> None:
    spans = [{"start": a, "stop": b, "verdict": "accepted"} for a, b in ((7, 13.5), (12, 20), (40, 60.4))]
    stored = served.put("/labels/stream", {"spans": spans})
    assert (stored.status, json.loads(stored.body)["labels"]) == (200, 2)
    assert json.loads(stored.body)["looked_at"] == pytest.approx(23 + 25)
    assert [(span.start, span.stop) for span in load_labels(root, "stream", 60)] == [(7, 20), (40, 60)]
    assert served.put("/labels/stream", {"looked_at": [[70, 80]]}).status == 400
    assert served.put("/labels/stream", {}).status == 400
    assert served.put("/labels/stream", "x").status == 400
    assert len(load_labels(root, "stream", 60)) == 2


def test_files_of_manifests_are_given_and_no_other(served: Served, root: Root, tmp_path: Path) -> None:
    (tmp_path / "root/highlights/stream/secret.txt").write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    assert served.known("GET", "/highlights/stream/highlights.tsv").body == root.read(
        "highlights/stream/highlights.tsv"
    )
    for path in (
        "/highlights/stream/secret.txt",
        "/highlights/stream/../../../secret.txt",
        "/highlights/stream/%2e%2e/%2e%2e/%2e%2e/secret.txt",
        "//etc/passwd",
        "/vods/stream/vod.json",
        "/vods/stream/",
        "/vods/..%2f..%2fsecret.txt",
        "/labels/stream.tsv",
        "/mlflow/mlflow.db",
    ):
        answer = served.known("GET", path)
        assert answer.status in (400, 404, 405), path
        assert b"secret" not in answer.body


def test_the_video_is_given_in_ranges(served: Served, root: Root) -> None:
    video = root.read("vods/stream/video.mp4")
    whole = served.known("GET", "/vods/stream/video.mp4")
    assert (whole.status, whole.body) == (200, video)
    assert whole.headers["content-type"] == "video/mp4"
    part = served.known("GET", "/vods/stream/video.mp4", range="bytes=100-199")
    assert (part.status, part.body) == (206, video[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(video)}"
    assert served.known("GET", "/vods/stream/video.mp4", range=f"bytes={len(video)}-").status == 416
    head = served.known("HEAD", "/vods/stream/video.mp4")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(video)), b"")


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d{0,20}-\d{0,20}(,\d-)?"), st.integers(0, 1000))
def test_a_range_lies_in_the_file(header: str, size: int) -> None:
    window = parse_range(header, size)
    assert window is None or 0 <= window[0] <= window[1] <= size


@pytest.mark.parametrize(
    ("header", "window"),
    [
        ("", (0, 100)),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=100-", None),
        ("bytes=20-10", None),
        ("bytes=-0", None),
        ("bytes=1-2,4-5", (0, 100)),
        ("pages=1-2", (0, 100)),
    ],
)
def test_ranges_as_the_standard_has_them(header: str, window: tuple[int, int] | None) -> None:
    assert parse_range(header, 100) == window


def test_a_damaged_file_of_corrections_is_not_overwritten(served: Served, root: Root) -> None:
    root.write(layout.corrections("stream"), b"{")
    refused = served.put("/reviews/stream", {"revision": 0, "spans": []})
    assert refused.status == 500
    assert "move it away" in refused.text
    assert root.read(layout.corrections("stream")) == b"{"


def test_two_servers_share_a_browser(root: Root) -> None:
    with serving(root) as first, serving(root) as second:
        both = f"{first.cookie}; {second.cookie}"
        for server in (first, second):
            assert server.ask("GET", "/", cookie=both).status == 200
