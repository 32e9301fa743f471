"""Pages of lolhl in a notebook."""

from dataclasses import dataclass

from lolhl.report.element import el


@dataclass(frozen=True)
class Frame:
    """A page in a frame of its own: a notebook shows it where it is the last value of a cell.

    The page runs its own script and reaches nothing of the notebook. Links to files beside the page lead nowhere there.

    Attributes:
        page: the HTML of a whole page, as `lolhl report` and `lolhl analyse` make it.
        title: what a screen reader calls it.
        height: of the frame, in pixels.
    """

    page: str
    title: str = "Highlights"
    height: int = 900

    def _repr_html_(self) -> str:
        return el(
            "iframe",
            srcdoc=self.page,
            title=self.title,
            width="100%",
            height=self.height,
            style="border: 0",
            sandbox="allow-scripts allow-popups allow-downloads",
        )
