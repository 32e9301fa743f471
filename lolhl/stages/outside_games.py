"""By what the scores of a VOD are marked down outside of its games, and how people label there."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lolhl import layout, manifest
from lolhl.highlights.outside_games import LabelledGames, OutsideGames, odds_outside
from lolhl.labels.spans import Span
from lolhl.labels.store import has_a_person_s, stored_labels
from lolhl.manifest import Manifest
from lolhl.results import Vod
from lolhl.stages.known_games import playing, stored_clock
from lolhl.stages.scores import learnt_from
from lolhl.storage import Root


@dataclass(frozen=True)
class MarkDown:
    """What highlights are cut by besides scores, and key → digest of what it was made of. By default nothing."""

    outside: OutsideGames | None = None
    inputs: dict[str, str] = field(default_factory=dict)


def mark_down(root: Root, vod: Manifest[Vod], model: str, odds: float | None) -> MarkDown:
    """By what the scores of a VOD are marked down outside of its games; by nothing where these are not known.

    Args:
        root: where the data lies.
        vod: the VOD.
        model: which scored it.
        odds: what a user asks for. None for what the labels say that the model learnt from.

    Raises:
        LabelError: a file of these labels is wrong.
        StorageError: a manifest is damaged.
    """
    if odds == 1:
        return MarkDown()
    clock = stored_clock(root, vod)
    games = playing(clock.result) if clock else []
    if clock is None or not games:
        return MarkDown()
    inputs = {layout.clock(vod.result.vod): clock.content_digest()}
    if odds is None:
        odds = float(f"{odds_outside(_labelled(root, model)):.3g}")
        # In place of the digests of all those labels and clocks: most changes of them leave the number as it is.
        inputs["odds of highlights outside of games"] = f"{odds:g}"
    if odds == 1:
        return MarkDown(None, inputs)
    return MarkDown(OutsideGames(odds=odds, games=[(game.start, game.stop) for game in games]), inputs)


def _labelled(root: Root, model: str) -> Iterator[LabelledGames]:
    """Of the VODs that a model learnt from those that a person labelled and whose games are known."""
    vods = {vod for dataset in learnt_from(root, model).values() for vod in dataset.result.vods}
    for vod in sorted(vods & set(layout.clocks(root)) if vods else ()):
        stored = manifest.find(root, layout.vod(vod), Vod)
        clock = stored_clock(root, stored) if stored else None
        labels = stored_labels(root, vod)
        if stored and clock and clock.result.games and labels and has_a_person_s(labels.spans):
            whole = [Span(0.0, stored.result.duration)]
            looked_at = whole if labels.looked_at is None else labels.looked_at
            yield LabelledGames(labels.spans, looked_at, playing(clock.result))
