"""Engines side by side: how fast each gives a backbone's features on a CPU, and what that costs in precision.

    python -m tests.benchmarks.engines      # some 8 minutes on 2 cores

Pictures come from the bench streams, or from those of `make demo` while there are none. For each
engine that computes in less than float32, heads learn on one stream and are judged on the other, both
ways: once they learnt on float32 features and meet this engine's, and once they learnt on its own.
"""

import copy
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lolhl.backbones import feature_runtime, openvino_runtime
from lolhl.backbones.encoder import Encoder
from lolhl.backbones.feature_runtime import Features, Pictures
from lolhl.evaluate.judge import ScoredVod, average_precision
from lolhl.labels.spans import from_grid, on_grid
from lolhl.labels.tables import read_table
from lolhl.models import scoring
from lolhl.models.network import Network
from lolhl.models.scoring import Instants
from lolhl.models.video import VideoModel, VideoSettings
from lolhl.stages.train import TrainConfig
from lolhl.vod.decode import View, decode
from tests.benchmarks import inputs, result
from tests.benchmarks.result import Table

VIEW = View(Fraction(3), 224, "squeeze")
SMOOTH_SECONDS = 5.0
TIMED = 256  # pictures, of each run
ROUNDS = 3
BATCH = 32  # of torch and ONNX Runtime
CALIBRATION = 300  # pictures
SEEDS = 3  # heads that are averaged
EPOCHS = 15
CPU = torch.device("cpu")
EXACT = "OpenVINO f32"  # stands for float32 in the second table

Run = Callable[[Pictures], Features]


@dataclass(frozen=True)
class Stream:
    """Pictures uint8 [n, 224, 224, 3] of a stream's grid, and whether each lies in a highlight: bool [n]."""

    pictures: Pictures
    labels: npt.NDArray[np.bool_]


def streams() -> list[Stream]:
    """Two streams; no map is in both."""
    bench = {inputs.video(name, inputs.SMALLEST): inputs.labels(name) for name in ("bench-a", "bench-b")}
    demo = {
        Path(f"lolhl-data/streams/{name}.mp4"): Path(f"lolhl-data/streams/{name}.tsv") for name in ("demo-a", "demo-b")
    }
    chosen = bench if all(video.exists() for video in bench) else demo
    print("pictures from", *chosen, flush=True)
    return [_stream(video, table) for video, table in chosen.items()]


def _stream(video: Path, table: Path) -> Stream:
    pictures = np.stack(list(decode(video, VIEW)))
    (spans,) = read_table(table.read_bytes(), str(table)).values()
    return Stream(pictures, on_grid(spans, len(pictures), VIEW.fps))


def main() -> None:
    learnt, judged = streams()
    network = Network(TrainConfig().backbone, pretrained=True).eval()
    timed = learnt.pictures[:: max(1, len(learnt.pictures) // TIMED)][:TIMED]
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        runs, failed = _runs(network, learnt.pictures, Path(scratch))
        outputs = {name: run(timed) for name, run in runs.items()}  # also warms up
        timings = result.side_by_side({name: partial(run, timed) for name, run in runs.items()}, ROUNDS)
        named = (EXACT, "OpenVINO bf16", "OpenVINO int8", "ONNX Runtime int8")
        features = {
            name: [runs[name](stream.pictures) for stream in (learnt, judged)] for name in named if name in runs
        }
    library = feature_runtime.open_runtime(Encoder.from_network(network), CPU).name
    result.write(
        "engines",
        [
            _speeds(timings, outputs, failed, library),
            _precisions(features, [learnt.labels, judged.labels]),
        ],
        "python -m tests.benchmarks.engines",
        f"""
{network.name} at {VIEW.size} px. Speed: {len(timed)} pictures, {ROUNDS} runs of each engine in
turn, the median counts. Cosine: of an engine's features with those of torch eager, mean and least over
the pictures. Here the library takes {library}. Average precision is of scores smoothed as `lolhl infer`
does, on the other stream's {len(judged.labels)} or {len(learnt.labels)} frames, mean of {SEEDS} heads (other first
weights) each way. int8 is calibrated on {CALIBRATION} pictures of the first stream.""",
    )


def _runs(network: Network, pictures: Pictures, scratch: Path) -> tuple[dict[str, Run], dict[str, str]]:
    """All engines that work here, by name, and why the others do not."""
    calibration = pictures[:: max(1, len(pictures) // CALIBRATION)][:CALIBRATION]
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    made: dict[str, Callable[[], Run]] = {
        "torch eager": lambda: partial(_torch, network.features),
        "torch channels last": lambda: partial(_torch, last.features),
        "torch compile": lambda: partial(_torch, torch.compile(last.features)),
        "torch bf16 autocast": lambda: partial(_torch, partial(_autocast, last.features)),
        EXACT: lambda: _openvino(network, "f32"),
        "OpenVINO bf16": lambda: _openvino(network, "bf16"),
        "OpenVINO f16 hint": lambda: _openvino(network, "f16"),
        "OpenVINO int8": lambda: _openvino_int8(network, calibration),
        "ONNX Runtime f32": lambda: _onnx(_exported(network, scratch)),
        "ONNX Runtime int8": lambda: _onnx(_quantised(_exported(network, scratch), calibration)),
    }
    runs, failed = {}, {}
    for name, make in made.items():
        print(f"preparing {name}", flush=True)
        try:
            run = make()
            run(pictures[:BATCH])
        except Exception as error:  # a compiler, an instruction or a package may be missing here
            failed[name] = str(error).strip().splitlines()[0][:80] or type(error).__name__
        else:
            runs[name] = run
    return runs, failed


@torch.no_grad()
def _torch(net: Callable[[Tensor], Tensor], pictures: Pictures) -> Features:
    whole = torch.from_numpy(pictures)
    return torch.cat([net(batch).half() for batch in torch.split(whole, BATCH)]).numpy()


def _autocast(net: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return net(pictures)


def _batches(pictures: Pictures, size: int) -> Iterator[Pictures]:
    return (pictures[first : first + size] for first in range(0, len(pictures), size))


def _openvino(network: Network, precision: str) -> Run:
    return _compiled(openvino_runtime.converted(Encoder.from_network(network), VIEW.size), network, precision)


def _compiled(model: Any, network: Network, precision: str) -> Run:
    compiled = openvino_runtime.compiled(model, Encoder.from_network(network), precision)
    size = compiled.input(0).shape[0]
    return lambda pictures: np.concatenate(list(openvino_runtime.requested(compiled, _batches(pictures, size))))


def _openvino_int8(network: Network, calibration: Pictures) -> Run:
    model = openvino_runtime.converted(Encoder.from_network(network), VIEW.size)
    import nncf

    size = model.input(0).shape[0]
    whole = [batch for batch in _batches(calibration, size) if len(batch) == size]
    normalised = [((torch.from_numpy(b).permute(0, 3, 1, 2) - network.mean) / network.std).numpy() for b in whole]
    quantised = nncf.quantize(model, nncf.Dataset(normalised), subset_size=len(normalised))
    return _compiled(quantised, network, "f32")


class _Whole(nn.Module):
    """Normalisation and backbone."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        return self.network.features(pictures)


def _exported(network: Network, scratch: Path) -> Path:
    path = scratch / "features.onnx"
    whole, shown = _Whole(copy.deepcopy(network)), torch.zeros((2, VIEW.size, VIEW.size, 3), dtype=torch.uint8)
    axes = {"pictures": {0: "n"}, "features": {0: "n"}}
    torch.onnx.export(
        whole,
        (shown,),
        path,
        input_names=["pictures"],
        output_names=["features"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    return path


def _quantised(exported: Path, calibration: Pictures) -> Path:
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = _batches(calibration, 4)

        def get_next(self) -> dict[str, Pictures] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"pictures": batch}

    prepared, quantised = exported.with_name("prepared.onnx"), exported.with_name("int8.onnx")
    quant_pre_process(exported, prepared)
    quantize_static(prepared, quantised, Reader(), per_channel=True, op_types_to_quantize=["Conv", "Gemm"])
    return quantised


def _onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])

    def run(pictures: Pictures) -> Features:
        parts = [session.run(None, {"pictures": batch})[0] for batch in _batches(pictures, BATCH)]
        return np.concatenate(parts).astype(np.float16)

    return run


def _speeds(
    timings: Mapping[str, result.Timing], outputs: Mapping[str, Features], failed: Mapping[str, str], library: str
) -> Table:
    eager, exact = timings["torch eager"].wall, outputs["torch eager"].astype(np.float32)
    rows: list[list[object]] = []
    for name, timing in timings.items():
        here = outputs[name].astype(np.float32)
        cosine = (here * exact).sum(1) / np.linalg.norm(here, axis=1) / np.linalg.norm(exact, axis=1)
        count, mark = len(exact), " (the library's)" if name.replace(" ", "-").lower() == library else ""
        figures = (count / timing.wall, count / timing.cpu, eager / timing.wall)
        rows.append([name + mark, *figures, f"{cosine.mean():.4f}", f"{cosine.min():.4f}"])
    rows += [[f"{name}: {why}", None, None, None, None, None] for name, why in failed.items()]
    columns = ["engine", "pictures/s", "per CPU second", "times torch eager", "mean cosine", "least cosine"]
    return Table("Features on this CPU", columns, rows)


def _precisions(features: Mapping[str, list[Features]], labels: list[npt.NDArray[np.bool_]]) -> Table:
    print("learning heads", flush=True)
    rows: list[list[object]] = []
    exact = {
        (side, seed): _learnt(features[EXACT][side], labels[side], seed) for side in (0, 1) for seed in range(SEEDS)
    }
    for name, sides in features.items():
        row: list[object] = [name]
        for side, other in ((0, 1), (1, 0)):
            theirs = [exact[side, seed] for seed in range(SEEDS)]
            own = theirs if name == EXACT else [_learnt(sides[side], labels[side], seed) for seed in range(SEEDS)]
            both = (theirs, own)
            row += [
                f"{statistics.mean(_judged(head, sides[other], labels[other]) for head in heads):.3f}" for heads in both
            ]
        rows.append(row)
    columns = ["features", "a→b, learnt on f32", "a→b, on its own", "b→a, learnt on f32", "b→a, on its own"]
    return Table("Average precision on the stream that was not learnt from", columns, rows)


def _learnt(features: Features, labels: npt.NDArray[np.bool_], seed: int) -> VideoModel:
    """A head as `lolhl train` makes it by default, but for its early stopping, which wants a validation side."""
    config = TrainConfig()
    torch.manual_seed(seed)
    settings = VideoSettings()
    learner = VideoModel(settings, {"pictures": features.shape[1]}).train()
    optimiser = torch.optim.AdamW(learner.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    held, truth = torch.from_numpy(features), torch.from_numpy(labels).float()
    clips = torch.from_numpy(scoring.clip_frames(settings.offsets, np.arange(len(labels)), len(labels)))
    for _ in range(EPOCHS):
        for chosen in torch.split(torch.randperm(len(labels)), 64):
            loss = nn.functional.binary_cross_entropy_with_logits(
                learner.clip_logits(held[clips[chosen]]), truth[chosen]
            )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return learner.eval()


def _judged(model: VideoModel, features: Features, labels: npt.NDArray[np.bool_]) -> float:
    scores = np.concatenate(list(scoring.probabilities(model, [Instants({"pictures": features}, {})], CPU)))
    vods = [ScoredVod(vod="judged", fps=VIEW.fps, scores=scores, labels=from_grid(labels, VIEW.fps))]
    return average_precision(vods, SMOOTH_SECONDS) or 0.0


if __name__ == "__main__":
    main()
