"""Figures as the page shows them: tables for its end, and one figure for its summary."""

from collections.abc import Collection, Iterator

from lolhl.evaluate.figures import FrameFigures, Reliability
from lolhl.models import unsupervised
from lolhl.report.page import Table
from lolhl.results import Agreement, ModelFigures


def agreement_summary(agreement: Agreement) -> tuple[str, str]:
    """One figure of how well highlights agree with labels, and what it is."""
    events = agreement.events[0]
    return _number(events.f1), f"F1 of events at tIoU {events.tiou:g}"


def agreement_table(agreement: Agreement) -> Table:
    """The highlights of this stream against its labels."""
    rows = [
        (
            f"overlap (tIoU) of at least {events.tiou:g}",
            f"{events.matched} of {events.labelled}",
            _number(events.precision),
            _number(events.recall),
            _number(events.f1),
        )
        for events in agreement.events
    ]
    frames = agreement.frames
    note = (
        f"Average precision of the smoothed probabilities: {_number(frames.model.average_precision)}; "
        f"random ranking would have {_number(frames.random.average_precision)}."
    )
    if agreement.model_learnt_from_this:
        note += " The model learnt from this stream, so these figures flatter it."
    if agreement.labels_of_games:
        note += (
            " No person gave these labels. They come from the events of games, so that the figures say nothing of "
            "highlights that come from the same events."
        )
    return Table(
        "This stream against its labels",
        ("Events matched by", "Found", "Precision", "Recall", "F1"),
        tuple(rows),
        note,
    )


def events_table() -> Table:
    """Says that highlights come from the games' own record."""
    note = (
        "These highlights are what happened in the games, as Riot records it, by the rules of `lolhl riot`. Nobody and "
        "nothing has looked at the stream."
    )
    return Table("Found by the events of games", (), (), note)


def unsupervised_table(signals: Collection[str]) -> Table:
    """Says that no model was used, what was used instead, and how to teach one.

    Args:
        signals: what was measured.
    """
    rows = tuple((name, f"{weight:g}") for name, weight in unsupervised.WEIGHTS.items())
    advice = unsupervised.advice(signals)
    note = f"{advice[0].upper()}{advice[1:]}."
    return Table("Found without a model", ("Signal", "Weight"), rows, note)


def model_table(model: str, figures: ModelFigures) -> Table:
    """What `train` recorded of the model: beside answers that know nothing where it was judged on whole VODs.

    Of chunks or games of the VODs that a model learnt from the page shows no figures of how good it is.
    """
    if figures.holdout != "vods":
        note = (
            f"It was tried on {figures.holdout or 'chunks'} of the streams that it learnt from alone, which does not "
            f"say how good it is on others. `lolhl compare {model}` says that, on labelled streams that it has not "
            "learnt from."
        )
        return Table("The model", (), (), note)
    rows = tuple((name, *_row(answer)) for name, answer in figures.smoothed.named().items())
    frames = figures.smoothed.model
    note = (
        f"On {frames.frames} frames of streams that it did not learn from, {100 * (frames.base_rate or 0):.0f} % of "
        "them in highlights. In brackets: 95 % of resamples."
    )
    return Table("The model", ("", "Average precision", "F1", "Precision", "Recall"), rows, note)


def reliability_table(reliability: Reliability) -> Table:
    """How often there was a highlight where the model said so and so."""
    rows = tuple(
        (
            f"{100 * part.low:.0f} to {100 * part.high:.0f} %",
            str(part.instants),
            f"{100 * part.probability:.0f} %",
            f"{100 * part.labelled:.0f} %",
        )
        for part in reliability.bins
    )
    note = (
        f"On average probabilities are off by {100 * reliability.error:.0f} points in a hundred, where they were not "
        f"calibrated; before calibration by {100 * reliability.raw_error:.0f}."
    )
    return Table("What probabilities mean", ("Probability", "Frames", "Mean", "In labelled highlights"), rows, note)


def _row(figures: FrameFigures) -> Iterator[str]:
    with_intervals = (
        (figures.average_precision, figures.average_precision_interval),
        (figures.f1, figures.f1_interval),
    )
    for figure, interval in with_intervals:
        yield _number(figure) + (f" ({interval.low:.2f}–{interval.high:.2f})" if interval else "")
    yield _number(figures.precision)
    yield _number(figures.recall)


def _number(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.2f}"
