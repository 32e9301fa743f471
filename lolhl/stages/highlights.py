"""highlights: the scores of a VOD → its highlights, as data, as a table, and as chapters for players and YouTube.

Spans are cut from scores smoothed over some seconds. Where the VOD's games are known, scores outside of them count
less, and highlights are named by what happened in them. Neither the video nor the network is needed.
"""

import logging
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl import layout, manifest
from lolhl.config import restored, setting
from lolhl.errors import Conflict
from lolhl.exports import webvtt, youtube
from lolhl.highlights.amount import AmountConfig, Find, choose
from lolhl.highlights.cut import CutConfig, Highlight, Limits, find, reason_for_none
from lolhl.highlights.drivers import explain
from lolhl.highlights.intensity import centred_mean
from lolhl.highlights.naming import named
from lolhl.highlights.offers import Offer, offers
from lolhl.highlights.outside_games import OutsideGames, marked_down
from lolhl.labels.habits import Habits
from lolhl.labels.tables import write_table
from lolhl.manifest import Manifest, Output, R
from lolhl.results import Games, Highlights, Scoring, Vod
from lolhl.stages.outside_games import mark_down
from lolhl.stages.scores import load_scored
from lolhl.storage import Root
from lolhl.tables import Scored

log = logging.getLogger(__name__)

_TABLE, _PLAYERS, _YOUTUBE = "highlights.tsv", "exports/chapters.vtt", "exports/youtube-chapters.txt"


@dataclass(frozen=True, kw_only=True)
class HighlightsConfig(CutConfig, AmountConfig):
    """How highlights are cut from scores, and how many."""

    smooth_seconds: float | None = setting(
        None,
        "seconds over which probabilities are averaged before cutting (default: the model's)",
        at_least=0,
        at_most=3600,
    )
    outside_games: float | None = setting(
        None,
        "where `lolhl clock` has found games: what the odds of a highlight outside of them are multiplied by, 1 for no "
        "change (default: by how much rarer the labels are there that the model learnt from; 0.05 without such)",
        above=0,
        at_most=1,
    )


def highlights(
    root: Root, vod: str, config: HighlightsConfig = HighlightsConfig(), *, force: bool = False
) -> Manifest[Highlights]:
    """Makes highlights/<vod>/highlights.json and highlights.tsv, and the exports that name no video.

    Args:
        root: where the data lies.
        vod: name of a VOD that was scored.
        config: see `HighlightsConfig`.
        force: redo what is done.

    Raises:
        MissingInput: the VOD has no scores, or was not downloaded.
        LabelError: a file of labels that the model learnt from is wrong.
        StorageError: its scores are damaged.
    """
    stored = manifest.load(root, layout.vod(vod), Vod)
    scoring = manifest.load(root, layout.scoring(vod), Scoring, fresh=True)
    inputs = {layout.scoring(vod): scoring.content_digest(), layout.vod(vod): stored.content_digest()}
    games = _games(root, stored)
    if games:
        inputs[layout.games(vod)] = games.content_digest()
    marked = mark_down(root, stored, scoring.result.model, config.outside_games)
    inputs |= marked.inputs
    todo, earlier = manifest.plan(root, layout.highlights(vod), Highlights, config, inputs, force=force, opened=True)
    if earlier:
        return earlier

    if marked.outside:
        log.info("highlights %s: %s --outside-games 1 leaves them as they are.", vod, marked.outside.rule)
    result = _cut(vod, stored.result, scoring.result, load_scored(root, vod, scoring), marked.outside, config)
    if games:
        result = replace(result, highlights=named(result.highlights, games.result.highlights))
    texts = {name: text.encode() for name, text in _exports(result).items()}
    folder = layout.highlights_folder(vod)
    with todo.begin() as begun:
        for name in {_TABLE, _PLAYERS, _YOUTUBE} - texts.keys():
            root.delete(folder + name)
        for name, text in texts.items():
            root.write(folder + name, text)
        return begun.finish(result, [Output.from_bytes(folder + name, text) for name, text in texts.items()])


def _games(root: Root, vod: Manifest[Vod]) -> Manifest[Games] | None:
    """The games that name highlights. None where nobody has asked for them, or not since the VOD was stored."""
    games = manifest.find(root, layout.games(vod.result.vod), Games)
    if games and games.inputs.get(layout.vod(vod.result.vod)) != vod.content_digest():
        log.warning(
            "highlights %s: the VOD has been stored anew since its games were looked for: `%s` finds them again",
            vod.result.vod,
            layout.command(layout.games(vod.result.vod)),
        )
        return None
    return games


def load_input(root: Root, spans: Manifest[Highlights], key: str, kind: type[R]) -> Manifest[R]:
    """The manifest under this key that highlights were cut by.

    Raises:
        Conflict: it has been made anew since, or is gone.
    """
    stored = manifest.find(root, key, kind)
    if stored is None:
        raise Conflict(f"{root.url}/{key} is gone since highlights were cut from it: run `{layout.remake(key)}`")
    if stored.content_digest() != spans.inputs[key]:
        raise Conflict(f"{root.url}/{key} was made anew since highlights were cut from it: run again")
    return stored


def _cut(
    vod: str,
    stored: Vod,
    scoring: Scoring,
    scored: Scored,
    outside: OutsideGames | None,
    config: HighlightsConfig,
) -> Highlights:
    scores = marked_down(scored.probabilities, scoring.fps, outside)
    # A video that broke off is shorter than it says; the grid may reach up to one step beyond the end.
    duration = min(stored.duration or float("inf"), float(len(scores) / scoring.fps))
    smooth_seconds = scoring.smooth_seconds if config.smooth_seconds is None else config.smooth_seconds
    smoothed = centred_mean(scores, scoring.fps, smooth_seconds)
    limits = config.limits(scoring.threshold, scoring.habits)
    threshold, highlights = _chosen(smoothed, scoring, duration, limits, config)
    limits = replace(limits, threshold=threshold)
    return Highlights(
        vod=vod,
        model=scoring.model,
        threshold=limits.threshold,
        low=limits.low,
        smooth_seconds=smooth_seconds,
        highest=float(smoothed.max(initial=0.0)),
        duration=duration,
        amount=_amount(config, scoring.habits),
        outside_games=outside,
        rule=_rule(limits, smooth_seconds) + (f" {outside.rule}" if outside else ""),
        highlights=explain(highlights, scored.parts, scoring.fps),
        reason=None if highlights else _reason_for_none(smoothed, scoring.fps, duration, limits, config),
    )


def _reason_for_none(
    smoothed: npt.NDArray[np.floating], fps: Fraction, duration: float, limits: Limits, amount: AmountConfig
) -> str:
    """Why there is no highlight: none was found, or none is as short as what is asked for."""
    too_long = find(smoothed, fps, duration, limits)
    if not too_long:
        return reason_for_none(smoothed, limits)
    shortest = min(highlight.span.duration for highlight in too_long)
    return f"the shortest of {len(too_long)} lasts {shortest:.1f} s, which is longer than {_asked(amount)} allows"


def _finder(smoothed: npt.NDArray[np.floating], fps: Fraction, duration: float, limits: Limits) -> Find:
    """Finds the highlights of one VOD at any threshold."""
    return lambda level: find(smoothed, fps, duration, replace(limits, threshold=level))


def _chosen(
    smoothed: npt.NDArray[np.floating], scoring: Scoring, duration: float, limits: Limits, amount: AmountConfig
) -> tuple[float, list[Highlight]]:
    """The threshold and the highlights, as many as are asked for."""
    share = scoring.habits.share if scoring.habits else None
    find_at = _finder(smoothed, scoring.fps, duration, limits)
    unpadded = _finder(smoothed, scoring.fps, duration, replace(limits, pad_before=0.0, pad_after=0.0))
    return choose(find_at, smoothed, float(scoring.fps), scoring.threshold, share, amount, unpadded)


def other_cuts(
    spans: Manifest[Highlights], scoring: Scoring, smoothed: npt.NDArray[np.floating], place: str
) -> list[Offer]:
    """The cuts of a VOD into more or fewer highlights that a page offers, the shortest first.

    Args:
        spans: its highlights as they are, which are one of these cuts.
        scoring: of the scores that they were cut from.
        smoothed: float [n], what they were cut from.
        place: the name of their manifest, for the message of an error.

    Raises:
        StorageError: the manifest's settings are damaged.
    """
    cut = spans.result
    config = restored(HighlightsConfig, spans.config, place, f"lolhl report {cut.vod} --force")
    limits = config.limits(scoring.threshold, scoring.habits)
    find_at = _finder(smoothed, scoring.fps, cut.duration, limits)
    present = suggested = Offer(None, cut.threshold, cut.highlights)
    if config.given:
        suggested = Offer(AmountConfig(), *_chosen(smoothed, scoring, cut.duration, limits, AmountConfig()))
    return offers(find_at, smoothed, float(scoring.fps), suggested, present)


def _exports(result: Highlights) -> dict[str, str]:
    """The highlights for other programs: name of the file → text."""
    spans = sorted(highlight.span for highlight in result.highlights)
    texts = {_TABLE: write_table(result.vod, spans).decode()}
    if spans:
        texts[_PLAYERS] = webvtt.cues(spans)
    if chapters := youtube.of_vod(spans, result.duration):
        texts[_YOUTUBE] = chapters
    return texts


def _amount(config: HighlightsConfig, habits: Habits | None) -> str:
    """What decided how many highlights there are."""
    if config.given:
        return _asked(config)
    if habits is None:
        return "the model's threshold"
    return f"the scores, and the {100 * habits.share:.0f} % of the time that was labelled where the model learnt"


def _asked(amount: AmountConfig) -> str:
    """The option that asks for an amount."""
    (name,) = amount.given
    value = getattr(amount, name)
    return f"--share {100 * value:g}%" if name == "share" else f"--{name} {value:g}"


def _rule(limits: Limits, smooth_seconds: float) -> str:
    low = "" if limits.low_ratio == 1 else f" until below {limits.low:.2f}"
    padding = (
        f" {limits.pad_before:g} s added before and {limits.pad_after:g} s after,"
        if limits.pad_before or limits.pad_after
        else ""
    )
    averaged = f" averaged over {smooth_seconds:.3g} s" if smooth_seconds else ""
    return (
        f"Cut from probabilities{averaged}: from {limits.threshold:.2f}{low}, joined over "
        f"lulls of at most {limits.merge_gap:.3g} s, split at valleys when longer than {limits.split_above:.3g} s,"
        f"{padding} {limits.min_length:.3g} to {limits.max_length:.3g} s long."
    )
