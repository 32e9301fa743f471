"""dataset: VODs, or frame sets of them, and labels → the stretches of time to learn from and to be judged on.

First the split, then the guard between its sides (see `lolhl.data.split`). Which frames of the training side are
learnt from, so that enough of them lie in highlights, is decided when they are read (see `lolhl.data.stretches`).
The validation side stays as streams are. What nobody has looked at, as the labels tell, lies on neither side.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lolhl import grid, layout, manifest
from lolhl.data import stretches
from lolhl.data.stretches import SplitVod
from lolhl.errors import DatasetError, MissingInput, UsageError
from lolhl.frames.spec import FrameSpec, stored_of_all, view_name
from lolhl.labels.store import read_labels
from lolhl.manifest import Manifest
from lolhl.results import Dataset, Frames, Vod
from lolhl.stages.dataset_counts import count_vods, in_all, table
from lolhl.stages.dataset_settings import GAMES, VODS_ENOUGH, DatasetConfig
from lolhl.stages.dataset_sides import Source, assign
from lolhl.stages.split_by_games import games_to_split
from lolhl.storage import MANY, Root, check_name, check_new, each
from lolhl.text import first_few
from lolhl.vod.view import View

__all__ = ["DatasetConfig", "dataset", "dataset_command", "split_vods_of"]

log = logging.getLogger(__name__)


def dataset(
    root: Root, name: str, vods: Sequence[str], config: DatasetConfig = DatasetConfig(), *, force: bool = False
) -> Manifest[Dataset]:
    """Makes datasets/<name>/ from labels/<vod>.tsv of each VOD, and from its frames, or from its video if it has none.

    All frames have one view, and the pictures of videos are seen in it too. Of frame sets that differ in how they are
    stored, the best is taken: whole before scanned, then by JPEG quality. What the files hold is told in
    `lolhl.data.stretches`.

    Args:
        root: where the data lies.
        name: of the dataset.
        vods: the VODs to learn from, in any order.
        config: see `DatasetConfig`.
        force: redo what is done.

    Returns:
        The dataset's manifest. Its result holds the counts and rates of positives of each side before
        and after the rebalancing, what was dropped and why, and what the frame sets have in common.

    Raises:
        MissingInput: a VOD has neither a frame set nor a video, or no labels, or games are held out and nobody knows
            its games.
        DatasetError: the frame sets differ, a side would lack highlights or the rest, or there are too few games.
    """
    vods = sorted({check_name(vod, "VOD") for vod in vods})
    if not vods:
        raise UsageError(f"dataset {name}: no VOD was named: name those to learn from")
    key = layout.dataset(name)
    check_new(root, key, name, "dataset")
    view, specs = _chosen(stored_of_all(root, vods), config)
    whole_games = config.holdout == GAMES
    sources = list(each(lambda vod: _source(root, vod, specs[vod], view, whole_games=whole_games), vods, ahead=MANY))
    inputs = {source.key: source.digest for source in sources}
    inputs |= {layout.labels(source.vod): source.labels_digest for source in sources}
    inputs |= {layout.clock(source.vod): source.games_digest for source in sources if whole_games}
    if not all(specs.values()):
        inputs["view"] = view_name(view)  # a frame set's key names it
    todo, earlier = manifest.plan(root, key, Dataset, config, inputs, force=force)
    # That of lolhl 0.1 has a row for each frame.
    if earlier and [layout.without_digest(output.key) for output in earlier.outputs] == sorted(stretches.keys(name)):
        return earlier

    held = _held_out(vods, config)
    parts = list(assign(sources, view.fps, held, config))
    counts = count_vods(parts, config.positives)
    result = Dataset(
        fps=view.fps,
        size=view.size,
        fit=view.fit,
        vods=vods,
        holdout="games" if whole_games else "chunks" if held is None else "vods",
        chunk_seconds=config.chunk_seconds,
        guard_seconds=config.guard_seconds,
        positives=config.positives,
        seed=config.seed,
        **vars(in_all(list(counts.values()))),
        per_vod=counts,
    )
    log.info("dataset %s: %s\n%s", name, first_few(vods), table(result))
    _check(result, name)

    return todo.store(result, stretches.to_files(name, [part.split for part in parts]))


def split_vods_of(root: Root, dataset: str, described: Manifest[Dataset]) -> list[SplitVod]:
    """The VODs of a dataset, as it splits them.

    Args:
        root: where the data lies.
        dataset: its name.
        described: its manifest.

    Raises:
        MissingInput: an earlier lolhl made it.
        StorageError: its files are gone or damaged.
    """
    keys, result = stretches.keys(dataset), described.result
    redo = dataset_command(dataset, described)
    if not {*keys} <= {layout.without_digest(output.key) for output in described.outputs}:
        raise MissingInput(f"datasets/{dataset} was made by an earlier lolhl, which stored each frame: run `{redo}`")
    files = [described.read(root, key, redo) for key in keys]
    places = [f"{root.url}/{described.key_of(key)}" for key in keys]
    return stretches.from_files(files, result.vods, result.fps, places, redo)


def dataset_command(dataset: str, described: Manifest[Dataset]) -> str:
    """The command that makes the dataset anew, with the settings that it was made with."""
    result, options = described.result, DatasetConfig.options(described.config)
    view = f"--fps {result.fps} --size {result.size} --fit {result.fit}"
    return f"lolhl dataset {dataset} {first_few(result.vods, ' ')} {view}{options} --force"


def _source(root: Root, vod: str, spec: FrameSpec | None, view: View, *, whole_games: bool) -> Source:
    """Reads what is needed of a VOD, by its frame set, or by its video where there is none."""
    key = spec.manifest_key(vod) if spec else layout.vod(vod)
    if spec:
        frames = manifest.load(root, key, Frames, spec.command(vod), fresh=True)
        count, digest = frames.result.frames, frames.content_digest()
    else:
        video = manifest.find(root, key, Vod)
        if video is None:
            raise MissingInput(f"VOD {vod} has neither frames nor a video: run `lolhl download … --name {vod}` first")
        count, digest = grid.instants_in(video.result.duration, view.fps), video.content_digest()
        if not count:
            raise MissingInput(f"the video of VOD {vod} does not say how long it is: run `lolhl extract {vod}` first")
    labels, labels_digest = read_labels(root, vod)
    source = Source(vod, count, labels.spans, key, digest, labels_digest, labels.looked_at)
    if not whole_games:
        return source
    shown = games_to_split(root, vod)
    return replace(source, games=shown.games, games_digest=shown.digest)


def _chosen(
    stored: Mapping[str, Sequence[FrameSpec]], config: DatasetConfig
) -> tuple[View, dict[str, FrameSpec | None]]:
    """Chooses the view, and the frame set of each VOD that has any.

    The view is the only one that all VODs with frames have and that is asked for. Where no VOD has frames, it is the
    one that is asked for.

    Args:
        stored: the frame sets that each VOD has, best first.
    """
    framed = {vod: specs for vod, specs in stored.items() if specs}
    if not framed:
        return config.usual_view, dict.fromkeys(stored)
    views = {vod: {spec.view for spec in specs if _is_asked_for(spec.view, config)} for vod, specs in framed.items()}
    for vod, fitting in views.items():
        if not fitting:
            asked = {"fps": config.fps, "size": config.size, "fit": config.fit}
            options = "".join(f" --{name} {value}" for name, value in asked.items() if value is not None)
            raise MissingInput(
                f"VOD {vod} has no such frames, but {_listed(spec.view for spec in stored[vod])}: run `lolhl extract "
                f"{vod}{options}`"
            )
    first, *others = views
    common = views[first].intersection(*(views[vod] for vod in others))
    if not common:
        other = next(vod for vod in others if not views[first] & views[vod])
        raise DatasetError(
            f"the frame sets differ: VOD {first} has {_listed(views[first])} and VOD {other} {_listed(views[other])}: "
            "extract both with the same settings"
        )
    if len(common) > 1:
        raise UsageError(
            f"the VODs have frames of {len(common)} views, {_listed(common)}: choose by --fps, --size, --fit"
        )
    (view,) = common
    return view, {vod: next((spec for spec in specs if spec.view == view), None) for vod, specs in stored.items()}


def _is_asked_for(view: View, config: DatasetConfig) -> bool:
    return config.fps in (None, view.fps) and config.size in (None, view.size) and config.fit in (None, view.fit)


def _listed(views: Iterable[View]) -> str:
    return " and ".join(sorted({view_name(view) for view in views}))


def _held_out(vods: Sequence[str], config: DatasetConfig) -> list[str] | None:
    """The VODs that were named to be held out. Empty where they are to be chosen, and None for chunks and games."""
    if config.holdout in ("chunks", GAMES) or (config.holdout == "auto" and len(vods) < VODS_ENOUGH):
        return None
    named = [] if config.holdout in ("auto", "vods") else [vod.strip() for vod in config.holdout.split(",")]
    unknown = [vod for vod in named if vod not in vods]
    if unknown:
        raise UsageError(
            f"--holdout {config.holdout}: {unknown[0]!r} is no VOD of this dataset: write auto, chunks, vods, games, "
            "or names"
        )
    if len(set(named) or {1}) >= len(vods):
        raise UsageError(f"--holdout {config.holdout}: no VOD is left to learn from: name more VODs for the dataset")
    return named


def _check(result: Dataset, name: str) -> None:
    """Raises DatasetError where a side cannot do its work."""
    if not result.natural.positives:
        raise DatasetError(f"dataset {name}: no frame lies in a highlight: import labels with `lolhl labels FILE`")
    for side, count in {"train": result.train, "validation": result.validation}.items():
        if not 0 < count.positives < count.frames:
            lacking = "no highlight" if not count.positives else "nothing but highlights"
            raise DatasetError(
                f"dataset {name}: {side} would have {lacking}: label more, name more VODs, or hold out others"
            )
