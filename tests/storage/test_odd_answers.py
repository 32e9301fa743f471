"""What answers at the endpoint is no object store, or one in trouble: one line that says what to do."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from s3transfer.manager import TransferConfig

from lolhl.errors import LolhlError, NotFound
from lolhl.storage import Root, bucket, open_root
from tests.servers.raw import raw

CALLS: dict[str, Callable[[Root, Path], object]] = {
    "read": lambda root, _: root.read("a/b"),
    "range": lambda root, _: root.read_range("a/b", 0, 10),
    "find": lambda root, _: root.find("a/b"),
    "stat": lambda root, _: root.stat("a/b"),
    "list": lambda root, _: [*root.list("a/")],
    "write": lambda root, _: root.write("a/b", b"bytes"),
    "write_if": lambda root, _: root.write_if("a/b", b"bytes", None),
    "upload": lambda root, file: root.upload(file, "a/b"),
    "upload in parts": lambda root, file: root.upload(file, "a/b"),
    "delete": lambda root, _: root.delete("a/b"),
    "local": lambda root, _: root.local("a/b"),
}
PAGE = b"<!doctype html><title>Console</title><p>Log in & go on<br>"


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    kind = "text/html" if body == PAGE else "application/xml"
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *headers]
    if not any(line.startswith("Content-Length") for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def error(status: str, code: str, message: str = "No.") -> bytes:
    return answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


def problem(call: str, reply: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The error that a call ends in."""
    monkeypatch.setattr(bucket, "_ATTEMPTS", 1)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "some-key-or-other")
    monkeypatch.setenv("LOLHL_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "file"
    file.write_bytes(b"bytes")
    if call == "upload in parts":
        monkeypatch.setattr(bucket, "_WHOLE", 0)
    with raw(lambda _: [reply]) as server:
        monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", f"{server.url}/hidden-word")
        with pytest.raises(LolhlError) as raised:
            CALLS[call](open_root("s3://bkt/data"), file)
        assert len(server.requests) < 20
    assert not isinstance(raised.value, NotFound)
    message = str(raised.value)
    assert "\n" not in message
    assert "hidden-word" not in message
    return message


@pytest.mark.parametrize("call", [call for call in CALLS if call != "delete"])
def test_a_web_page_is_no_object(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = problem(call, answer("200 OK", PAGE), tmp_path, monkeypatch)
    assert "check LOLHL_S3_ENDPOINT_URL" in message


@pytest.mark.parametrize("call", CALLS)
def test_one_that_sends_on_for_ever(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = problem(call, answer("307 Temporary Redirect", b"", "Location: /bkt/data/a/b"), tmp_path, monkeypatch)
    assert "LOLHL_S3_ENDPOINT_URL" in message


@pytest.mark.parametrize("length", ["900000000000000000", "9" * 40, "-1", "many"])
@pytest.mark.parametrize("call", ["read", "range", "find", "stat", "local"])
def test_a_length_that_cannot_be(call: str, length: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if call == "stat" and length == "900000000000000000":
        pytest.skip("it may be as large")
    monkeypatch.setattr(bucket, "_READS", 1)
    reply = answer("200 OK", b"bytes", 'ETag: "t"', f"Content-Length: {length}")
    assert "http://127.0.0.1" in (message := problem(call, reply, tmp_path, monkeypatch)) or "GB" in message


@pytest.mark.parametrize("call", ["read", "list", "write"])
@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (error("403 Forbidden", "RequestTimeTooSkewed"), "the clock of this machine is off"),
        (error("403 Forbidden", "SignatureDoesNotMatch"), "refuses the keys"),
        (
            error("500 Internal Server Error", "InternalError", "We broke"),
            r"answers 500 \(InternalError We broke\): run",
        ),
        (answer("500 Internal Server Error"), "answers 500( .Internal Server Error.)?: run again later"),
        (answer("400 Bad Request", PAGE), "check LOLHL_S3_ENDPOINT_URL"),
    ],
    ids=["clock", "keys", "broken", "silent", "page"],
)
def test_a_refusal(call: str, reply: bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = problem(call, reply, tmp_path, monkeypatch)
    assert re.search(words, message), message


@pytest.mark.parametrize("lacking", ["Key", "Size", "ETag"])
def test_a_list_whose_objects_lack_what_each_has(lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"Key": "data/a/b", "Size": "5", "ETag": '"t"'}
    entry = "".join(f"<{name}>{value}</{name}>" for name, value in values.items() if name != lacking)
    body = f"<ListBucketResult><IsTruncated>false</IsTruncated><Contents>{entry}</Contents></ListBucketResult>"
    message = problem("list", answer("200 OK", body.encode()), tmp_path, monkeypatch)
    assert "does not answer as an object store does: check LOLHL_S3_ENDPOINT_URL" in message


@pytest.mark.parametrize("size", ["-5", "9" * 30, "many", ""])
def test_a_list_with_sizes_that_cannot_be(size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = f"<Key>data/a/b</Key><Size>{size}</Size><ETag>t</ETag>"
    body = f"<ListBucketResult><Contents>{entry}</Contents></ListBucketResult>"
    assert "check LOLHL_S3_ENDPOINT_URL" in problem("list", answer("200 OK", body.encode()), tmp_path, monkeypatch)


def test_an_upload_in_parts_that_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_TRANSFER", TransferConfig(multipart_threshold=1))
    body = b"<InitiateMultipartUploadResult><Bucket>bkt</Bucket></InitiateMultipartUploadResult>"
    message = problem("upload in parts", answer("200 OK", body), tmp_path, monkeypatch)
    assert "check LOLHL_S3_ENDPOINT_URL" in message


@pytest.mark.parametrize("length", [None, "-1"])
def test_a_first_part_without_a_length(length: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_READS", 1)
    headers = ["HTTP/1.1 206 Partial Content", 'ETag: "t"', "Content-Range: bytes 0-4/5", "Connection: close"]
    headers += [f"Content-Length: {length}"] if length else []
    reply = "\r\n".join([*headers, "", "bytes"]).encode()
    assert "check LOLHL_S3_ENDPOINT_URL" in problem("local", reply, tmp_path, monkeypatch)


@pytest.mark.parametrize("call", ["read", "list", "write"])
def test_an_error_whose_fields_are_no_text(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in (b"<Error><Code><a/></Code></Error>", b"<Error><Code>x</Code><Message><b>No.</b></Message></Error>"):
        message = problem(call, answer("400 Bad Request", body), tmp_path, monkeypatch)
        assert "check LOLHL_S3_ENDPOINT_URL" in message
