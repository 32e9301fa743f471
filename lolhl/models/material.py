"""What a model learns from: clips or windows of a dataset's VODs, and the tracks or pictures that these show."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import torch

from lolhl import grid
from lolhl.backbones.encoder import Encoder
from lolhl.backbones.feature_runtime import open_runtime
from lolhl.data import cache
from lolhl.data.samples import ClipDataset, Clips, Contents, rows, wanted
from lolhl.data.stretches import SIDES, LabelledStretch, Samples, Side, SplitVod
from lolhl.data.windows import HeldStretch, WindowDataset
from lolhl.errors import DatasetError, UsageError
from lolhl.frames.frameset import FrameSet
from lolhl.frames.spec import among
from lolhl.models import scoring
from lolhl.models.baseline import StandardisedModel, track_baseline
from lolhl.models.model import ClipModel, ClipSettings, ModelSettings, TrackModel
from lolhl.models.network import PICTURES, Network
from lolhl.models.process_group import ProcessGroup
from lolhl.signals import Signal, make_track, open_signal
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import FrameSource, Source, layout_of, source_beside, video_source
from lolhl.storage import Root, each
from lolhl.tracks.track import Track
from lolhl.vod.view import View

Lessons = dict[Side, ClipDataset | WindowDataset]
Held = dict[str, npt.NDArray[np.int64]]  # VOD → the instants that are held, ascending: int64 [n]
VodTracks = dict[str, Track | None]  # VOD → its track; None where there is nothing to make it of


def open_wanted(name: str, view: View, network: Network | None, device: torch.device) -> Signal:
    """Opens a signal that the model wants."""
    if name == PICTURES and network:
        return PictureSignal(open_runtime(Encoder.from_network(network), device), view)

    def encoder() -> Encoder:
        if network is None:
            raise UsageError(f"the signal {name} needs a backbone, which is there only beside the signal {PICTURES}")
        return Encoder.from_network(network)

    return open_signal(name, view, encoder)


def open_sources(root: Root, inputs: Iterable[str], vods: Sequence[str]) -> dict[str, Source]:
    """What signals of the VODs of a dataset are measured from: its frame sets, and the videos of VODs without these.

    Args:
        root: where the data lies.
        inputs: keys of what the dataset was made of.
        vods: those of the dataset.

    Raises:
        MissingInput: one of them is gone, or frames are older than their video.
    """
    specs = among(inputs)

    def source(vod: str) -> Source:
        return FrameSource(FrameSet.load(root, vod, specs[vod])) if vod in specs else video_source(root, vod)

    return dict(zip(vods, each(source, vods), strict=True))


def make_tracks(
    signals: Mapping[str, Signal], sources: Mapping[str, Source], process_group: ProcessGroup
) -> dict[str, VodTracks]:
    """The tracks of each signal. Those that are not stored are computed: by the first of several processes.

    Where a signal needs no pictures, it is measured of the video beside the frames.
    """
    if not process_group.first:
        process_group.wait()
    with torch.random.fork_rng(devices=[]):  # first weights must not depend on what is stored already
        tracks = {
            name: {
                vod: make_track(signal, beside, layout_of(beside))
                if (beside := source_beside(source, signal.view))
                else None
                for vod, source in sources.items()
            }
            for name, signal in signals.items()
        }
    if process_group.first:
        process_group.wait()
    return tracks


def end_of(source: Source, fps: Fraction, tracks: Mapping[str, VodTracks]) -> int:
    """How many instants a VOD has: as many as its frames, or as the track of its pictures, else as its longest track.

    A video may claim to be longer than it is.
    """
    if isinstance(source, FrameSource):
        return len(source.frames)
    ends = {name: len(track) for name, vod_tracks in tracks.items() if (track := vod_tracks[source.vod])}
    return ends[PICTURES] if PICTURES in ends else max(ends.values(), default=grid.instants_in(source.seconds, fps))


def is_known(tracks: VodTracks) -> bool:
    """Whether any VOD has an instant of the signal that is known, among those that baselines are measured of."""
    return any(track is not None and track_baseline(track).count > 0 for track in tracks.values())


def width(name: str, tracks: VodTracks) -> int:
    """The width of a signal. Raises DatasetError where no VOD has it."""
    for track in tracks.values():
        if track:
            return track.made.result.width
    raise DatasetError(
        f"no VOD of the dataset has the signal {name}, because none has its video: run `lolhl download …` for them"
    )


def make_lessons(
    settings: ModelSettings,
    vods: Sequence[SplitVod],
    sides: Mapping[Side, Samples],
    ends: Mapping[str, int],
    frames: Mapping[str, FrameSet],
) -> tuple[Lessons, Held]:
    """What is learnt and judged by, of each side: clips of samples, or windows of stretches; and what these show.

    Args:
        settings: of the model.
        vods: those of the dataset.
        sides: their samples.
        ends: VOD → how many instants it has.
        frames: VOD → its frame set, where the backbone learns too. Without it clips show instants of tracks.
    """
    if isinstance(settings, ClipSettings):
        clips = {side: _clips(settings.offsets, samples, ends, frames) for side, samples in sides.items()}
        held = wanted([(sides[side], clips[side]) for side in SIDES])
        return {
            side: ClipDataset(samples.label, rows(samples, clips[side], held)) for side, samples in sides.items()
        }, held
    begins, held = 0, {}
    lessons: dict[Side, list[HeldStretch]] = {side: [] for side in SIDES}
    for vod in vods:
        parts = {side: vod.stretches(side) for side in SIDES}
        around = {part.first: _unseen_around(vod, part, settings.context) for part in itertools.chain(*parts.values())}
        shown = [
            np.arange(part.first - around[part.first][0], part.end + around[part.first][1])
            for part in itertools.chain(*parts.values())
        ]
        held[vod.vod] = np.unique(np.concatenate(shown)) if shown else np.empty(0, np.int64)
        for side in SIDES:
            for part in parts[side]:
                row = begins + int(np.searchsorted(held[vod.vod], part.first))
                lessons[side].append(HeldStretch(row, part.labels, *around[part.first]))
        begins += len(held[vod.vod])
    return {side: WindowDataset(lessons[side], settings.context) for side in SIDES}, held


def _unseen_around(vod: SplitVod, part: LabelledStretch, context: int | None) -> tuple[int, int]:
    """How many instants that nobody has looked at a window may show before and after a stretch of labelled ones.

    A model that sees all of a VOD learns from the stretch alone.
    """
    if context is None:
        return 0, 0
    before = next((part.first - first for first, end in vod.unseen if end == part.first), 0)
    after = next((end - part.end for first, end in vod.unseen if first == part.end), 0)
    return min(before, context), min(after, context)


def _clips(offsets: tuple[int, ...], side: Samples, ends: Mapping[str, int], frames: Mapping[str, FrameSet]) -> Clips:
    """Frame numbers of each sample's clip: int64 [n, T]. Where the backbone learns too, the nearest picture to each.

    Every instant has features, but a stream that was scanned has fewer pictures than instants.
    """
    clips = np.empty((len(side), len(offsets)), dtype=np.int64)
    for vod, in_vod in side.by_vod().items():
        numbers = scoring.clip_frames(offsets, side.frame[in_vod], ends[vod])
        clips[in_vod] = frames[vod].nearest[numbers] if vod in frames else numbers
    return clips


def hold_pictures(label: str, frames: Mapping[str, FrameSet], instants: Held, place: cache.Place) -> Contents:
    """What is learnt from where the backbone learns too: pixels."""
    parts = [cache.Part(frames[vod].digest, numbers, frames[vod].pictures) for vod, numbers in instants.items()]
    return Contents({PICTURES: cache.hold(label, parts, place)}, place.device)


def hold_tracks(
    label: str, model: TrackModel, tracks: Mapping[str, VodTracks], instants: Held, place: cache.Place
) -> Contents:
    """What a head learns from: the values of each signal as the model sees them, NaN where they are not known.

    The model is told what is usual in these VODs, if it wants to know.
    """
    held = {}
    for name, vod_tracks in tracks.items():
        if isinstance(model, StandardisedModel):
            model.learn_usual(name, [track_baseline(track) for vod in instants if (track := vod_tracks[vod])])
        parts = [_part(model, name, vod_tracks[vod], numbers) for vod, numbers in instants.items()]
        held[name] = cache.hold(label, parts, place)
    return Contents(held, place.device)


def _part(model: TrackModel, name: str, track: Track | None, numbers: npt.NDArray[np.int64]) -> cache.Part:
    """The values of one VOD as the model sees them."""
    if track is None:
        return cache.Part("", numbers, lambda some: np.full((len(some), model.widths[name]), np.nan, np.float16))
    if isinstance(model, StandardisedModel):
        baseline = model.drawn(name, track_baseline(track))
        return cache.Part(f"{track.digest} {baseline.digest}", numbers, lambda some: baseline.apply(track.at(some)))
    if isinstance(model, ClipModel) and name != PICTURES:  # it knows nothing of what is not known
        return cache.Part(f"{track.digest} filled", numbers, lambda some: np.nan_to_num(track.at(some), nan=0.0))
    return cache.Part(track.digest, numbers, track.at)
