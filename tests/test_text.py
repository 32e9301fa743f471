"""What people see: no secrets, and no characters that drive a terminal."""

import io
import json

import pytest

from lolhl.text import PrintableStream, json_line, one_line, printable, redacted

ODD = "\x1b]0;x\a\x7f\x9b2J\u202e\u2066\u2028\udce9"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at http://me:pass@host:5000/a?key=1#t: run", "at http://***@host:5000/a?***: run"),
        ("(http://me:pa/s#s@host/a)", "(http://***@host/a)"),
        ("cut off: http://me:pass", "cut off: http://***"),
        ("'postgresql+psycopg2://u:p@db/lolhl'", "'postgresql+psycopg2://***@db/lolhl'"),
        ("with url: /a?X-Amz-Signature=abc&x=1&token=t", "with url: /a?X-Amz-Signature=***&x=1&token=***"),
        ("http://host:80/a.mp4: 404, http://[::1]:80/b.", "http://host:80/a.mp4: 404, http://[::1]:80/b."),
        ("s3://bucket/prefix and 1:2:3 and a@b", "s3://bucket/prefix and 1:2:3 and a@b"),
    ],
)
def test_urls_are_redacted(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_secrets_of_the_environment_are_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:pa%20ss#word@host")
    monkeypatch.setenv("LOLHL_RIOT_KEY", "RGAPI-0f0f")
    monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", "https://store.example/hidden/")
    text = redacted("wJalrXUtnFEMI, RGAPI-0f0f, pa%20ss#word, pa ss#word, https://store.example/hidden/bkt: no")
    assert text == "***, ***, ***, ***, https://store.example/***: no"


def test_what_does_more_than_print_is_escaped() -> None:
    assert printable(ODD) == "\\x1b]0;x\\x07\\x7f\\x9b2J\\u202e\\u2066\\u2028\\udce9"
    assert printable("caf\u00e9 \u65e5\u672c \U0001f600") == "caf\u00e9 \u65e5\u672c \U0001f600"
    below = io.StringIO()
    print(f"{ODD} http://a:b@h/", file=PrintableStream(below), flush=True)
    assert below.getvalue() == f"{printable(ODD)} http://***@h/\n"


def test_json_holds_the_exact_value_in_printable_characters() -> None:
    value = {ODD: [f"{ODD}\u00e9\n\U0001f600"]}
    for encoding in ("utf-8", "ascii", "iso8859-1", None):
        line = json_line(value, encoding)
        assert json.loads(line) == value
        assert printable(line) == line
        assert line.encode(encoding or "ascii")


def test_an_error_is_one_line_that_ends() -> None:
    line = one_line("input: " + "x" * 1_000_000 + "\n\x1b: do this")
    assert len(line) < 2000
    assert line.startswith("input: xxx")
    assert line.endswith("\\x1b: do this")
