"""Work that the page asks for, each kind with what it needs, as the verb of the command line that does it.

Whatever is asked for, all else of a VOD's report stays as it was made.
"""

import os
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta

from lolhl import layout, manifest, text
from lolhl.errors import UsageError
from lolhl.manifest import Manifest
from lolhl.results import Report, Retraining
from lolhl.review import index
from lolhl.review.jobs import Job, Jobs
from lolhl.storage import Root

ReportOptions = Callable[[Root, str, Collection[str]], list[str]]
"""Gives the options by which the report of a VOD was made, but for those with these names."""

SHORTS = ("shorts", "shorts_top", "shorts_title")
AMOUNT = ("threshold", "minutes", "top", "share")


@dataclass(frozen=True)
class Desk:
    """Where work is begun: a root, its jobs, and what they have to know of its reports."""

    root: Root
    jobs: Jobs
    report_options: ReportOptions


def load_report(root: Root, vod: str) -> Manifest[Report]:
    """The manifest of a VOD's page. Raises MissingInput where it has none."""
    return manifest.load(root, layout.report(vod), Report)


class Retrain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="retrain"):
    """The wish to learn from all labels."""

    def begin(self, desk: Desk) -> Job:
        return desk.jobs.start("retrain")


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="run"):
    """The wish for the highlights of a stream.

    Attributes:
        stream: as `lolhl run` takes it.
        name: what to call the VOD; empty for its Twitch id, or the file's name.
        model: its name; empty where `lolhl run` is to choose.
        chat: whether the chat is fetched too.
        twitch_clips: whether Twitch is asked for the clips of viewers too.
    """

    stream: Annotated[str, Meta(max_length=4096)]
    name: Annotated[str, Meta(max_length=200)] = ""
    model: Annotated[str, Meta(max_length=200)] = ""
    chat: bool = False
    twitch_clips: bool = False

    def begin(self, desk: Desk) -> Job:
        stream = self.stream.strip()
        name = self.name.strip()
        if not stream or text.printable(stream + name + self.model) != stream + name + self.model:
            raise UsageError("name a stream: a Twitch VOD, the address of a video, or the path of a video file")
        if stream.startswith("~"):  # which a shell would have replaced
            stream = os.path.expanduser(stream)  # noqa: PTH111  # of an unknown user it stays as it is
        options = [*([f"--model={self.model}"] if self.model else []), *(["--chat"] if self.chat else [])]
        options += ["--twitch-clips"] if self.twitch_clips else []
        options += [f"--name={name}"] if name else []
        return desk.jobs.start("run", [*options, "--", stream], text.redacted(stream))


class MakeShorts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="shorts"):
    """The wish for vertical videos of a VOD's highlights. All else of its report stays as it was asked for.

    Attributes:
        vod: its name.
        top: of how many of the best highlights; None for all.
        title: the text over each, as `lolhl report --shorts-title` takes it; empty for none.
    """

    vod: Annotated[str, Meta(max_length=200)]
    top: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    title: Annotated[str, Meta(max_length=200)] = ""

    def begin(self, desk: Desk) -> Job:
        title = self.title.strip()
        if text.printable(title) != title:
            raise UsageError("the title of shorts holds characters that cannot be drawn: write it anew")
        report = load_report(desk.root, self.vod).result
        options = [*desk.report_options(desk.root, self.vod, SHORTS), "--shorts"]
        options += [f"--shorts-top={self.top}"] if self.top else []
        options += [f"--shorts-title={title}"] if title else []
        return desk.jobs.start("report", [*options, "--", self.vod], report.title or self.vod, wish="shorts")


class MakeReel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="reel"):
    """The wish for one video of a VOD's highlights as they were corrected.

    Attributes:
        vod: its name.
        minutes: how long it may be; None for all highlights.
        rank: whether it begins with the best, and does not go by time.
    """

    vod: Annotated[str, Meta(max_length=200)]
    minutes: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    rank: bool = False

    def begin(self, desk: Desk) -> Job:
        report = load_report(desk.root, self.vod).result
        options = [f"--minutes={self.minutes:g}"] if self.minutes else []
        options += ["--order=rank"] if self.rank else []
        return desk.jobs.start("reel", [*options, "--", self.vod], report.title or self.vod)


class Cut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="cut"):
    """The wish for more or fewer highlights of a VOD, with their clips and files.

    Attributes:
        vod: its name.
        minutes, threshold: as `lolhl report` takes them; at most one. With neither the model says how many there are.
    """

    vod: Annotated[str, Meta(max_length=200)]
    minutes: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None

    def begin(self, desk: Desk) -> Job:
        report = load_report(desk.root, self.vod).result
        options = desk.report_options(desk.root, self.vod, AMOUNT)
        options += [f"--minutes={self.minutes!r}"] if self.minutes is not None else []
        options += [f"--threshold={self.threshold!r}"] if self.threshold is not None else []
        return desk.jobs.start("report", [*options, "--", self.vod], report.title or self.vod, wish="cut")


class _Ran(msgspec.Struct, frozen=True):
    """What the page needs of what `lolhl run` prints."""

    vod: str


class _Retrained(msgspec.Struct, frozen=True):
    """What the page needs of what `lolhl retrain` prints."""

    nothing_new: bool = False


class _ReportedHighlight(msgspec.Struct, frozen=True):
    """The rank of a highlight, and the key of its short if there is one."""

    rank: int
    short: str | None = None


class _Reported(msgspec.Struct, frozen=True):
    """What the page needs of what `lolhl report` prints."""

    vod: str
    highlights: list[_ReportedHighlight]


class _Reeled(msgspec.Struct, frozen=True):
    """What the page needs of what `lolhl reel` prints."""

    vod: str
    reel: str
    spans: list[tuple[float, float]]


# Made once, before there are threads: see `lolhl.manifest`.
Wish = Retrain | Run | MakeShorts | MakeReel | Cut
_DECODER: msgspec.json.Decoder[Wish] = msgspec.json.Decoder(Wish)


def parse_wish(data: bytes) -> Wish:
    """Reads what is asked for from JSON. Raises UsageError for anything else."""
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"this is no job: {str(error)[:200]}") from error


def described(root: Root, job: Job) -> dict[str, Any]:
    """A job as the page shows it, with what came of it."""
    values = {**asdict(job), "result": None, "table": None, "page": None, "shorts": None, "reel": None}
    if job.state != "done" or not job.result:
        return values
    if job.verb == "run":
        values["page"] = index.page_address(msgspec.convert(job.result, _Ran).vod)
    if job.verb == "report":
        reported = msgspec.convert(job.result, _Reported)
        values["page"] = index.page_address(reported.vod)
        if job.wish == "shorts":
            values["shorts"] = [
                {"rank": highlight.rank, "href": f"/{quote(highlight.short)}"}
                for highlight in reported.highlights
                if highlight.short
            ]
    if job.verb == "reel":
        reeled = msgspec.convert(job.result, _Reeled)
        values["page"] = index.page_address(reeled.vod)
        values["reel"] = {"href": f"/{quote(reeled.reel)}", "highlights": len(reeled.spans)}
    if job.verb == "retrain":
        from lolhl.report.retraining import side_by_side  # with scikit-learn, which takes a second

        stored = manifest.load(root, layout.RETRAINING, Retraining)
        nothing_new = msgspec.convert(job.result, _Retrained).nothing_new
        values["table"] = asdict(side_by_side(replace(stored.result, nothing_new=nothing_new)))
    return values
