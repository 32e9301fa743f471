"""review: the reports of a root → a page on this machine that saves corrections while they are made, until Ctrl-C."""

import logging
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction

import uvicorn

from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.errors import UsageError
from lolhl.highlights.feeds import Feed, feeds
from lolhl.highlights.intensity import centred_mean
from lolhl.highlights.outside_games import marked_down
from lolhl.labels.spans import Span
from lolhl.results import Highlights, Scoring
from lolhl.review.gate import Session
from lolhl.review.jobs import Jobs
from lolhl.review.server import Makers, application
from lolhl.stages.export import ExportConfig, export_file
from lolhl.stages.highlights import load_input
from lolhl.stages.report import report_options
from lolhl.stages.scores import load_scored
from lolhl.storage import Root

log = logging.getLogger(__name__)

_PATIENCE = 3  # seconds that open requests are waited for when the server ends


@dataclass(frozen=True, kw_only=True)
class ReviewConfig(Config):
    """Where the page is served."""

    port: int = setting(0, "port on this machine; 0 takes any that is free", at_least=0, at_most=65535)
    browser: bool = setting(True, "open the page in the browser of this desktop, where there is one")


@dataclass(frozen=True)
class Reviewed:
    """The VODs whose corrections were changed."""

    vods: list[str]


def review(root: Root, config: ReviewConfig = ReviewConfig()) -> Reviewed:
    """Serves the reports of a root on loopback, until the process is interrupted.

    Raises:
        UsageError: the port is taken.
    """
    before = _etags(root)
    with _listening(config.port) as listener, Jobs(root) as jobs:
        session = Session(listener.getsockname()[1])
        server = uvicorn.Server(
            uvicorn.Config(
                application(root, session, jobs, MAKERS),
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=_PATIENCE,
            )
        )
        with _interruptible():  # from the moment the address is known, which may be the moment of Ctrl-C
            print(f"review: open {session.address}", file=sys.stderr, flush=True)
            if config.browser and _has_desktop():
                with suppress(webbrowser.Error):
                    webbrowser.open(session.address)
            server.run(sockets=[listener])
    after = _etags(root)
    return Reviewed(sorted(vod for vod, etag in after.items() if before.get(vod) != etag))


def _export(root: Root, vod: str, form: str, corrected: bool) -> bytes:
    return export_file(root, vod, ExportConfig(format=form, corrections=corrected))


def _feeds(root: Root, vod: str, looked_at: Sequence[Span]) -> list[Feed]:
    """What of a VOD is worth looking at first.

    Raises:
        Conflict: it was scored anew since its highlights were cut.
        LolhlError: its highlights or scores are gone or damaged.
    """
    spans = manifest.load(root, layout.highlights(vod), Highlights)
    scoring = load_input(root, spans, layout.scoring(vod), Scoring)
    fps, cut = scoring.result.fps, spans.result
    scores = marked_down(load_scored(root, vod, scoring).probabilities, fps, cut.outside_games)
    smoothed = centred_mean(scores, fps, cut.smooth_seconds)
    smoothed = smoothed[: int(Fraction(cut.duration) * fps)]  # the grid may reach up to a step beyond the end
    return feeds(vod, smoothed, fps, cut.threshold, cut.highlights, looked_at)


MAKERS = Makers(_export, _feeds, report_options)


def _etags(root: Root) -> dict[str, str]:
    """VOD → etag of its corrections."""
    return {stat.key.split("/")[1].removesuffix(".json"): stat.etag for stat in root.list(layout.REVIEWS)}


def _has_desktop() -> bool:
    """Without one, Python would open a browser of text in this terminal."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in names)


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()  # now, so that a browser that is opened before the server runs waits for it
        except OSError as error:
            raise UsageError(f"--port {port}: {error.strerror}: choose another, or 0 for any that is free") from error
        yield listener


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C ends the server, and nothing else: uvicorn raises the signal again once it has ended.

    So does a terminal that is closed, and whatever else asks the process to end: work that was begun on the page has a
    session of its own, and would go on where nobody sees it.
    """
    others = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, *others)}
    try:
        with suppress(KeyboardInterrupt):
            for number in others:
                signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
            yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
