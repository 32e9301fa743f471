"""What the parts of a picture add to its score, on the page about a model."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lolhl import grid
from lolhl.evaluate.figures import PictureParts
from lolhl.explain.words import in_words, signed
from lolhl.report.element import Html, card, el, folded


@dataclass(frozen=True, kw_only=True)
class ExplainedPicture:
    """What the parts of a picture add to its score.

    Attributes:
        figures: the numbers.
        regions, superpixels: JPEG bytes of the picture, whose parts have colours.
    """

    figures: PictureParts
    regions: bytes
    superpixels: bytes


def picture_parts(explained: ExplainedPicture) -> Iterator[Html]:
    """What the parts of a picture add, in words and as pictures in colours."""
    figures = explained.figures
    at = grid.format_time(round(figures.seconds))
    words = in_words(figures.regions)
    yield el("h4", f"What in the picture at {at} drove it")
    yield el("p", words)
    for picture, what, parts in (
        (explained.regions, "regions", figures.regions),
        (explained.superpixels, "superpixels", figures.superpixels),
    ):
        address = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
        text = f"{figures.vod} at {at}, its {what} in colours. {in_words(parts)}"
        yield el("img", src=address, alt=text, class_="parts")
    fits = ((figures.regions_fit, "the regions"), (figures.superpixels_fit, "the superpixels"))
    shares = [f"{what} explain {fit:.0%}" for fit, what in fits if fit is not None]
    yield el(
        "p",
        f"Log-odds are {figures.log_odds:.2f} here, and would be {figures.covered:.2f} if the whole picture looked as "
        f"the stream usually does."
        + (f" Of the differences between the tries, {' and '.join(shares)}." if shares else ""),
        class_="quiet",
    )
    strongest = max(map(abs, figures.regions.values()), default=0.0)
    rows = [(name, signed(weight, min(strongest, 0.1))) for name, weight in figures.regions.items()]
    yield folded("The regions in numbers", ("Region", "Adds to the log-odds"), rows)


def moments_asked_for(pictures: Sequence[ExplainedPicture]) -> Html:
    """The moments that were asked for."""
    cards = [
        el(
            "li",
            el(
                "div",
                el("h3", f"{picture.figures.vod}, {grid.format_time(round(picture.figures.seconds))}"),
                *picture_parts(picture),
                class_="text",
            ),
            class_="mistake",
        )
        for picture in pictures
    ]
    return el(
        "section", el("h2", "Moments that were asked for", id="chosen"), el("ol", *cards, class_="mistakes"),
        aria_labelledby="chosen",
    )  # fmt: skip


def how_to_read(tries: int) -> Html:
    """How to read the pictures in colours, which so many tries were made for."""
    return card(
        "parts",
        "How to read the pictures in colours",
        el(
            "p",
            el("span", "Blue", class_="key for"),
            " parts speak for a highlight, ",
            el("span", "orange", class_="key against"),
            " ones against it, in this one picture: the stronger the colour, the more. All other pictures and signals "
            "stay as they are, so a model that sees more than one picture is moved less than one that sees it alone.",
        ),
        el(
            "p",
            f"By LIME: in {tries} copies of the picture, parts are covered by what the stream usually shows there (the "
            "median of pictures from all of it), and the model scores each copy. A part adds what the line that fits "
            "these log-odds best says of it. Log-odds are those before calibration, as of the signals.",
            class_="quiet",
        ),
    )
