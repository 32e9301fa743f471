"""Chooses the VODs that are held out. No model learns from them or takes its threshold from them; they judge models.

A VOD that the last retraining held out stays held out. Of the VODs that are new since then, each whose name's hash
lies in the lowest fifth is added. If that gives none, the VOD with the lowest hash is held out. If it gives all, the
one with the highest hash is learnt from. VODs without a labelled highlight are not chosen. Those whose labels come from
the events of games, and those of which a person has looked at a part, are chosen only where no person has labelled a
whole one. `--judge` names others, which then stay held out.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from lolhl.errors import DatasetError, UsageError
from lolhl.storage import check_name

HELD_OUT = 0.2  # share of VODs that are held out

Labels = Mapping[str, Sequence[object]]  # VOD → its labelled spans, in any form


def held_out(
    labels: Labels,
    named: str | None,
    judged: Sequence[str] = (),
    learnt: Sequence[str] = (),
    weak: Collection[str] = (),
) -> list[str]:
    """The VODs to judge on, by the rule above: at least one, and never all.

    Args:
        labels: the labels of all VODs.
        named: the VODs, with commas between. None to choose them.
        judged, learnt: the VODs that the last retraining held out, and those that it learnt from.
        weak: the VODs whose labels no person gave, or of which a person has looked at a part.

    Raises:
        UsageError: a VOD that is named has no labels, or all are named.
        DatasetError: none of them has a labelled highlight.
    """
    if named is None:
        held = _chosen(labels, judged, learnt, weak)
    else:
        held = {check_name(vod.strip(), "VOD") for vod in named.split(",")}
        if unknown := sorted(held - labels.keys()):
            raise UsageError(f"--judge {named}: {unknown[0]} is no labelled VOD with a video: name another")
        if held == labels.keys():
            raise UsageError(f"--judge {named}: no VOD is left to learn from: name fewer, or label more")
    if not any(labels[vod] for vod in held):
        raise DatasetError(
            f"no highlight is labelled in the VODs to judge on ({', '.join(sorted(held)) or 'none'}): label more, or "
            "name others with --judge"
        )
    return sorted(held)


def _chosen(labels: Labels, judged: Sequence[str], learnt: Sequence[str], weak: Collection[str]) -> set[str]:
    held, known = {*judged} & labels.keys(), {*learnt}
    candidates = sorted((vod for vod in labels if labels[vod] and vod not in held), key=_hash)
    whole = [vod for vod in candidates if vod not in weak]
    candidates = whole if whole or held else candidates
    held |= {vod for vod in candidates if vod not in known and _hash(vod) < HELD_OUT}
    if not held:  # rather one that no champion has learnt from
        held = {*sorted(candidates, key=lambda vod: vod in known)[:1]}
    if held == labels.keys():
        held.remove(max(held, key=_hash))
    return held


def _hash(vod: str) -> float:
    """A number from 0 to 1 that depends on the name alone."""
    return int(hashlib.sha256(vod.encode()).hexdigest()[:8], 16) / 16**8
