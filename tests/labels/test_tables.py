import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolhl.errors import LabelError
from lolhl.labels.rows import KnownVods
from lolhl.labels.spans import Span, merge
from lolhl.labels.tables import read_looked_at, read_table, write_table
from tests.labels.real import OWN, real_labels

HEAD = b"vid_id\tstart\tstop\n"


def test_the_table_of_the_real_streams() -> None:
    data = real_labels()
    table = read_table(data, "highlights.tsv")
    rows = [line.split("\t") for line in data.decode().splitlines()[1:]]
    assert len(rows) == 202
    assert {vod: len(spans) for vod, spans in table.items()} == {"1863051677": 166, "1886367077": 34}  # 2 pairs overlap
    assert table["1863051677"][0] == Span(11 * 60 + 56, 12 * 60 + 20)
    assert table["1886367077"][-1] == Span(4302, 4347)  # the last row, which has no newline
    seconds = {
        vod: {s for span in spans for s in range(int(span.start), int(span.stop))} for vod, spans in table.items()
    }
    for vod, start, stop in rows:  # nothing was lost in merging
        a, b = (
            sum(int(part) * unit for part, unit in zip(t.split(":"), (3600, 60, 1), strict=True)) for t in (start, stop)
        )
        assert seconds[vod].issuperset(range(a, b))


def test_a_table_like_it() -> None:
    table = read_table(OWN, "own.tsv")
    assert table == {
        "1863051677": [Span(716, 740), Span(753, 820), Span(3723, 3724)],
        "1886367077": [Span(10, 25), Span(4302, 4347)],
    }


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(OWN + b"\n", id="newline at the end"),
        pytest.param(OWN.replace(b"\n", b"\r\n"), id="Windows' lines"),
        pytest.param(OWN.replace(b"\n", b"\r"), id="old Mac's lines"),
        pytest.param(b"\xef\xbb\xbf" + OWN, id="UTF-8 with a mark"),
        pytest.param(OWN.decode().encode("utf-16"), id="UTF-16, as Excel saves Unicode text"),
        pytest.param(b"\xfe\xff" + OWN.decode().encode("utf-16-be"), id="UTF-16, the other way round"),
        pytest.param(b"\n\n" + OWN.replace(b"\n", b"\n\t\t\n \n"), id="blank lines"),
        pytest.param(OWN.replace(b"\n", b"\t\t\n"), id="empty cells on the right"),
        pytest.param(OWN.replace(b"\t", b" \t "), id="spaces"),
        pytest.param(OWN.replace(b"vid_id\tstart", b"VID_ID\tStart"), id="capitals"),
        pytest.param(b"\n".join([OWN.splitlines()[0], *reversed(OWN.splitlines()[1:])]), id="not in order"),
        pytest.param(OWN + b"\n" + OWN.splitlines()[1], id="a row twice"),
        pytest.param(b"\n".join(b"x\t" + line for line in OWN.splitlines()).replace(b"x", b"by", 1), id="more columns"),
        pytest.param(OWN.replace(b"00:11:56", b'"00:11:56.000"'), id="quotes, milliseconds"),
        pytest.param(OWN.replace(b"00:11:56", b"716").replace(b"00:12:20", b"12:20"), id="seconds, minutes"),
    ],
)
def test_ways_to_write_the_same(data: bytes) -> None:
    assert read_table(data, "own.tsv") == read_table(OWN, "own.tsv")


@pytest.mark.parametrize("separator", [b",", b";", b"\t"])
def test_csv_of_spreadsheets(separator: bytes) -> None:
    data = OWN.replace(b"\t", separator)
    assert read_table(data, "own.csv", separators=",;\t") == read_table(OWN, "own.tsv")


def test_names_and_scores() -> None:
    data = b'vid_id,start,stop,name,score\na,0:01,0:02,"a, b\nc",0.5\na,0:05,0:06,,\n'
    table = read_table(data, "x.csv", separators=",;")
    assert table == {"a": [Span(1, 2, "a, b c", 0.5), Span(5, 6)]}
    written = write_table("a", table["a"])
    assert read_table(written, "x.tsv") == table
    assert read_table(b"\n".join(line.rstrip() for line in written.splitlines()), "x.tsv") == table


def test_one_vod_for_all_rows() -> None:
    assert read_table(b"start\tstop\n1:00\t2:00\n", "x.tsv", vod="a") == {"a": [Span(60, 120)]}
    assert read_table(b"start\tstop\n", "x.tsv", vod="a") == {"a": []}
    assert read_table(HEAD, "x.tsv") == {}


def test_a_stop_that_was_rounded_up_is_cut_at_the_end() -> None:
    assert read_table(HEAD + b"a\t0\t300\n", "x.tsv", KnownVods({"a": 299.5})) == {"a": [Span(0, 299.5)]}


KNOWN = KnownVods({"1": 300.0, "2": 7200.0}, allows_unknown=False)
BAD = {
    "no file at all": (b"", 1, "no column"),
    "no header": (b"1\t0:00\t0:10\n", 1, "no column vid_id and start and stop"),
    "a column missing": (b"vid_id\tstart\n1\t0:00\n", 1, "no column stop"),
    "a header with commas": (b"vid_id,start,stop\n1,0:00,0:10\n", 1, "no column"),
    "a column twice": (b"vid_id\tstart\tstop\tstop\n1\t0\t1\t1\n", 1, "column stop stands there twice"),
    "a name, but no stop": (b"vid_id\tstart\tstop\tname\n1\t0:00\n", 2, "2 columns"),
    "too few columns": (HEAD + b"1\t0:00\t0:10\n1\t0:20\n", 3, "2 columns"),
    "too many columns": (HEAD + b"1\t0:00\t0:10\tx\n", 2, "4 columns"),
    "no VOD": (HEAD + b"\t0:00\t0:10\n", 2, "vid_id is empty"),
    "unknown VOD": (HEAD + b"1\t0:00\t0:10\n3\t0:00\t0:10\n", 3, "VOD 3 is unknown"),
    "a VOD that leaves the root": (HEAD + b"../1\t0:00\t0:10\n", 2, "is no name for a VOD"),
    "a VOD like an option": (HEAD + b"-rf\t0:00\t0:10\n", 2, "is no name for a VOD"),
    "words for a time": (HEAD + b"1\tsoon\t0:10\n", 2, "start 'soon' is not a time"),
    "no time": (HEAD + b"1\t0:00\t\n", 2, "stop '' is not a time"),
    "a negative time": (HEAD + b"1\t-0:05\t0:10\n", 2, "start '-0:05' is not a time"),
    "61 seconds": (HEAD + b"1\t0:00\t0:01:61\n", 2, "is not a time"),
    "75 minutes in an hour": (HEAD + b"2\t0:75:00\t1:20:00\n", 2, "is not a time"),
    "a comma in seconds": (HEAD + b"1\t0:00:01,5\t0:10\n", 2, "is not a time"),
    "NaN": (HEAD + b"1\tnan\t0:10\n", 2, "is not a time"),
    "infinite": (HEAD + b"1\t0:00\tinf\n", 2, "is not a time"),
    "hundreds of digits": (HEAD + b"1\t0\t" + b"9" * 400 + b"\n", 2, "is not a time"),
    "thousands of digits": (HEAD + b"1\t0\t" + b"9" * 5000 + b":00:00\n", 2, "is not a time"),
    "a year": (HEAD + b"2\t0\t9000:00:00\n", 2, "later than any video ends"),
    "inverted": (HEAD + b"\n\n1\t0:20\t0:10\n", 4, "0:00:20 to 0:00:10 is inverted"),
    "empty": (HEAD + b"1\t0:20\t0:20\n", 2, "is empty"),
    "shorter than a millisecond": (HEAD + b"1\t0:20.0001\t0:20.0002\n", 2, "is empty"),
    "stop out of the video": (HEAD + b"1\t4:50\t5:02\n", 2, "out of the video of VOD 1, which ends at 0:05:00"),
    "start out of the video": (HEAD + b"1\t5:00\t5:01\n", 2, "out of the video of VOD 1"),
    "a score in words": (b"vid_id\tstart\tstop\tscore\n1\t0:00\t0:10\tgood\n", 2, "score 'good' is not a number"),
    "a quote that is not closed": (HEAD + b'1\t0:00\t0:10\n"1\t0:20\t0:30\n1\t0:40\t0:50\n', 3, "cannot be read"),
    "a picture": (HEAD + b"\x89PNG\r\n", 2, "not UTF-8"),
    "Latin-1": (HEAD + b"1\t0:00\t0:10\n1\t0:20\t0:30\tSch\xf6n\n", 3, "not UTF-8"),
    "zero bytes": (HEAD + b"1\t\x00\x00\t0:10\n", 2, "no text file"),
    "half of UTF-16": (b"\xff\xfev\x00i", 1, "not UTF-16"),
    "after a cell of two lines": (b'vid_id\tstart\tstop\tname\n1\t1\t2\t"a\nb"\n1\t5\t3\tc\n', 4, "inverted"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_named(case: str) -> None:
    data, line, reason = BAD[case]
    with pytest.raises(LabelError) as raised:
        read_table(data, "my labels.tsv", KNOWN)
    message = str(raised.value)
    assert message.startswith(f"my labels.tsv:{line}: ")
    assert reason in message
    assert "\n" not in message
    assert len(message) < 250


def test_one_vod_for_a_file_that_names_its_own() -> None:
    with pytest.raises(LabelError, match=r"^x.tsv:1: .*do not give one VOD"):
        read_table(OWN, "x.tsv", vod="a")
    with pytest.raises(LabelError, match=r"^x.tsv: VOD a is unknown"):
        read_table(b"start\tstop\n", "x.tsv", KNOWN, vod="a")


millis = st.integers(0, 6 * 3_600_000)
spans = st.lists(st.tuples(millis, st.integers(1, 200_000)), max_size=30).map(
    lambda pairs: [Span(start / 1000, (start + length) / 1000) for start, length in pairs]
)


@given(spans)
def test_what_is_written_is_read_back(marked: list[Span]) -> None:
    merged = merge(marked)
    data = write_table("a", merged)
    assert read_table(data, "x.tsv").get("a", []) == merged
    assert write_table("a", read_table(data, "x.tsv").get("a", [])) == data


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for head in (b"", HEAD):
        table: dict[str, list[Span]] = {}
        with contextlib.suppress(LabelError):  # any other error fails
            table = read_table(head + data, "x.tsv")
        assert all(span.start < span.stop for spans in table.values() for span in spans)


PARTLY = b"""vid_id\tstart\tstop\tlooked_at
a\t1:00\t1:10\t
a\t0:50\t1:05\tyes
a\t5:00\t6:00\tYes
b\t1:00\t2:00\tno
"""


def test_what_was_looked_at_is_no_highlight_and_highlights_were_looked_at() -> None:
    assert read_table(PARTLY, "x.tsv") == {"a": [Span(60, 70)], "b": [Span(60, 120)]}
    assert read_looked_at(PARTLY, "x.tsv") == {"a": [Span(50, 70), Span(300, 360)]}
    rejected = HEAD.replace(b"\n", b"\tlooked_at\n") + b"a\t1\t2\tyes\n"
    assert (read_table(rejected, "x.tsv"), read_looked_at(rejected, "x.tsv")) == ({"a": []}, {"a": [Span(1, 2)]})


def test_files_that_do_not_say_it_were_looked_at_as_wholes() -> None:
    assert read_looked_at(OWN, "own.tsv") == {}
    assert read_looked_at(HEAD.replace(b"\n", b"\tlooked_at\n") + b"a\t1\t2\t\n", "x.tsv") == {}
    assert write_table("a", [Span(1, 2)], None) == write_table("a", [Span(1, 2)]) == HEAD + b"a\t0:00:01\t0:00:02\n"


@given(spans, spans.filter(bool))
def test_what_was_looked_at_is_read_back(marked: list[Span], stretches: list[Span]) -> None:
    looked_at = merge([*marked, *stretches])
    data = write_table("a", merge(marked), looked_at)
    assert (read_table(data, "x.tsv"), read_looked_at(data, "x.tsv")) == ({"a": merge(marked)}, {"a": looked_at})


def test_a_cell_that_is_neither_yes_nor_empty() -> None:
    with pytest.raises(LabelError, match=r"x.tsv:2: looked_at 'maybe' is neither yes nor empty: write yes"):
        read_table(HEAD.replace(b"\n", b"\tlooked_at\n") + b"a\t1\t2\tmaybe\n", "x.tsv")
