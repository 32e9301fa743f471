"""By what the scores of a VOD are marked down outside of its games, and how people label there."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lolhl import layout, manifest
from lolhl.highlights.outside_games import LabelledGames, OutsideGames, odds_outside
from lolhl.labels.spans import Span
from lolhl.labels.store import has_a_person_s, stored_labels
from lolhl.manifest import Manifest
from lolhl.results import Clock, Vod
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
        odds = _learnt_odds(root, model)
        # In place of the digests of all those labels and clocks: most changes of them leave the number as it is.
        inputs["odds of highlights outside of games"] = f"{odds:g}"
    if odds == 1:
        return MarkDown(None, inputs)
    return MarkDown(_outside(odds, games), inputs)


def mark_downs(root: Root, vods: Iterable[str], model: str) -> dict[str, OutsideGames]:
    """By what the scores of these VODs are marked down if nobody asks for another number: of those that are.

    Args:
        root: where the data lies.
        vods: some may have no video.
        model: which scored them, or a method that is built in.

    Raises:
        LabelError: a file of labels that the model learnt from is wrong.
        StorageError: a manifest is damaged.
    """
    games = {vod: playing(clock.result) for vod, clock in clocks_with_games(root, vods).items()}
    odds = _learnt_odds(root, model) if games else 1.0
    return {vod: _outside(odds, spans) for vod, spans in games.items()} if odds < 1 else {}


def clocks_with_games(root: Root, vods: Iterable[str]) -> dict[str, Manifest[Clock]]:
    """What was read of the clocks of these VODs, as far as it tells of games."""
    clocks = {}
    for vod in sorted({*vods} & {*layout.clocks(root)}):
        stored = manifest.find(root, layout.vod(vod), Vod)
        clock = stored_clock(root, stored) if stored else None
        if clock and clock.result.games:
            clocks[vod] = clock
    return clocks


def _outside(odds: float, games: Sequence[Span]) -> OutsideGames:
    return OutsideGames(odds=odds, games=[(game.start, game.stop) for game in games])


def _learnt_odds(root: Root, model: str) -> float:
    """What the labels say that a model learnt from."""
    return float(f"{odds_outside(_labelled(root, model)):.3g}")


def _labelled(root: Root, model: str) -> Iterator[LabelledGames]:
    """Of the VODs that a model learnt from those that a person labelled and whose games are known."""
    for vod, clock in clocks_with_games(root, learnt_from(root, model) or ()).items():
        labels = stored_labels(root, vod)
        if labels and has_a_person_s(labels.spans):
            whole = [Span(0.0, manifest.load(root, layout.vod(vod), Vod).result.duration)]
            looked_at = whole if labels.looked_at is None else labels.looked_at
            yield LabelledGames(labels.spans, looked_at, playing(clock.result))
