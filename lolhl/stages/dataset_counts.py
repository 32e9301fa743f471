"""How many frames and events lie on each side of a dataset, of each VOD and in all, and the table of it."""

from collections.abc import Iterable, Sequence

from lolhl.data.balance import kept_negatives
from lolhl.results import Dataset, Dropped, FrameCount, SideCounts, VodCounts
from lolhl.stages.dataset_sides import Assigned

_SHOWN = 50  # VODs in the table


def count_vods(parts: Sequence[Assigned], share: float) -> dict[str, VodCounts]:
    """The counts of each VOD.

    Args:
        share: of the positives in training.
    """
    positive = [part.train[1] for part in parts]
    negative = [part.train[0] - part.train[1] for part in parts]
    counts = {}
    for part, kept in zip(parts, kept_negatives(positive, negative, share), strict=True):
        train, positives = part.train
        counts[part.split.vod] = VodCounts(
            natural=_count(*part.natural),
            train_before=_count(train + part.guard[0], positives + part.guard[1]),
            train=_count(positives + kept, positives),
            validation=_count(*part.validation),
            dropped=Dropped(_count(*part.guard), _count(train - positives - kept, 0), part.not_looked_at),
            events=part.events,
        )
    return counts


def in_all(parts: Sequence[SideCounts]) -> SideCounts:
    """The counts of several VODs together."""

    def total(counts: Iterable[FrameCount]) -> FrameCount:
        pairs = [(count.frames, count.positives) for count in counts]
        return _count(sum(frames for frames, _ in pairs), sum(positives for _, positives in pairs))

    return SideCounts(
        natural=total(part.natural for part in parts),
        train_before=total(part.train_before for part in parts),
        train=total(part.train for part in parts),
        validation=total(part.validation for part in parts),
        dropped=Dropped(
            total(part.dropped.guard for part in parts),
            total(part.dropped.rebalancing for part in parts),
            sum(part.dropped.not_looked_at for part in parts),
        ),
    )


def table(result: Dataset) -> str:
    """The counts of a dataset, as a table in text."""
    rows = [("VOD", "side", "frames", "positive", "rate", "dropped by guard", "by rebalancing")]
    shown = list(result.per_vod.items())[:_SHOWN] if len(result.per_vod) > 1 else []
    parts: dict[str, SideCounts] = {"all": result, **dict(shown)}
    for vod, part in parts.items():
        dropped = (f"{part.dropped.guard.frames:,}", f"{part.dropped.rebalancing.frames:,}")
        for side, count, lost in (("train", part.train, dropped), ("validation", part.validation, ("", ""))):
            rows.append((vod, side, f"{count.frames:,}", f"{count.positives:,}", _percent(count.rate), *lost))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    if len(result.per_vod) > _SHOWN:
        lines.append(f"… and {len(result.per_vod) - _SHOWN:,} more VODs: dataset.json has them all")
    looked_at = "all frames"
    if result.dropped.not_looked_at:
        lines.append(f"nobody has looked at {result.dropped.not_looked_at:,} more frames: they lie on neither side")
        looked_at = "the frames that were looked at"
    lines.append(
        f"{_percent(result.natural.rate)} of {looked_at} are positive; {result.holdout} are held out, "
        f"and frames of the two sides lie at least {result.guard_seconds:g} s apart"
    )
    return "\n".join(lines)


def _count(frames: int, positives: int) -> FrameCount:
    return FrameCount(frames, positives, positives / frames if frames else None)


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"
