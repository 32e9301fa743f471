"""Figures of spans: how many labelled events were found, by matching them one to one with predicted ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from lolhl.evaluate.bootstrap import RESAMPLES, Resampled, draw, ratios
from lolhl.evaluate.figures import EventFigures, ratio
from lolhl.labels.spans import Span

TIOUS = (0.3, 0.5)  # overlaps at which events are matched


@dataclass(frozen=True)
class EventCounts:
    """Events by group: where they are labelled, predicted and matched. See `event_figures`.

    Attributes:
        groups: str [g], ascending.
        labelled, predicted, matched: int64 [g]. A match counts where its labelled span lies.
    """

    tiou: float
    groups: npt.NDArray[np.str_]
    labelled: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    matched: npt.NDArray[np.int64]

    def figures(self, *, seed: int = 0, resamples: int = RESAMPLES) -> EventFigures:
        """The counts of all groups together, with an interval where there are several groups."""
        resampled = self.resample(self.groups, seed=seed, resamples=resamples)
        return EventFigures(
            self.tiou,
            labelled=int(self.labelled.sum()),
            predicted=int(self.predicted.sum()),
            matched=int(self.matched.sum()),
            f1_interval=resampled.interval(),
        )

    def resample(self, names: npt.NDArray[np.str_], *, seed: int = 0, resamples: int = RESAMPLES) -> "Resampled":
        """F1 of events, with the groups drawn as `Ranking.resample` does."""
        weights = draw(len(names), seed, resamples)[:, np.searchsorted(names, self.groups)]
        return Resampled(
            ratio(2 * int(self.matched.sum()), int(self.labelled.sum() + self.predicted.sum())),
            ratios(2 * (weights @ self.matched), weights @ (self.labelled + self.predicted)),
            len(names),
        )


def event_figures(
    labelled: Mapping[str, Sequence[Span]], predicted: Mapping[str, Sequence[Span]], tiou: float
) -> EventFigures:
    """Counts of spans matched one to one, over all VODs.

    See `match_spans`, which matches those of one VOD.

    Args:
        labelled, predicted: VOD → spans.
        tiou: temporal intersection over union, above 0 and up to 1.
    """
    matched = sum(len(match_spans(spans, predicted.get(vod, ()), tiou)) for vod, spans in labelled.items())
    count, called = (sum(map(len, spans.values())) for spans in (labelled, predicted))
    return EventFigures(tiou, count, called, matched)


def count_events(
    labelled: Mapping[str, Sequence[Span]],
    predicted: Mapping[str, Sequence[Span]],
    tiou: float,
    groups: npt.NDArray[np.str_],
    group: Mapping[str, Callable[[Span], str]],
) -> EventCounts:
    """As `event_figures`, by group.

    Args:
        labelled, predicted: spans of the same VODs.
        groups: str [g], those that there are even if no event lies in them.
        group: VOD → what gives the group that a span of it counts in.
    """
    lies, called = (
        np.array([group[vod](span) for vod, spans in events.items() for span in spans], dtype=np.str_)
        for events in (labelled, predicted)
    )
    matched = [np.zeros(0, dtype=bool), *(_is_matched(spans, predicted[vod], tiou) for vod, spans in labelled.items())]
    names = np.unique(np.concatenate([groups, lies, called]))
    count = partial(_count, names)
    return EventCounts(tiou, names, count(lies), count(called), count(lies[np.concatenate(matched)]))


def _count(names: npt.NDArray[np.str_], places: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """How often each name occurs among the places: int64 [names]."""
    return np.bincount(np.searchsorted(names, places), minlength=len(names))


def _is_matched(labelled: Sequence[Span], predicted: Sequence[Span], tiou: float) -> npt.NDArray[np.bool_]:
    """Which labelled spans are matched: bool [labelled]."""
    matched = np.zeros(len(labelled), dtype=bool)
    matched[[label for label, _ in match_spans(labelled, predicted, tiou)]] = True
    return matched


def match_spans(labelled: Sequence[Span], predicted: Sequence[Span], tiou: float) -> list[tuple[int, int]]:
    """The pairs of one labelled and one predicted span that show the same event, by their places in the lists.

    As many pairs as possible are made, each of two spans whose intersection is at least `tiou` of their union
    (Hopcroft and Karp's matching). No span is in two pairs. They are in order of the labelled spans.
    """
    if not labelled or not predicted:
        return []
    shared, union = _overlap(labelled, predicted)
    pairs = (shared > 0) & (shared >= tiou * union - 1e-9)  # times in milliseconds are no exact floats
    partners = maximum_bipartite_matching(csr_array(pairs), perm_type="column").tolist()  # -1 where there is none
    return [(label, partner) for label, partner in enumerate(partners) if partner >= 0]


def best_overlaps(spans: Sequence[Span], others: Sequence[Span]) -> npt.NDArray[np.float64]:
    """The highest tIoU of each span with one of the others, 0 where it overlaps none: float64 [spans]."""
    if not spans or not others:
        return np.zeros(len(spans))
    shared, union = _overlap(spans, others)
    return np.asarray((np.maximum(shared, 0) / union).max(axis=1))


def _overlap(spans: Sequence[Span], others: Sequence[Span]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Seconds that each two share, negative where they lie apart, and that of their union: [spans, others]."""
    a, b = (np.array([(span.start, span.stop) for span in part]) for part in (spans, others))
    shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    return shared, (a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None, :] - shared
