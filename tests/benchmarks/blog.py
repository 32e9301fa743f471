"""The recipe of the original blog post, re-created: what lolhl is measured against.

Its faults belong to it and are kept: `fps=3` rounds, so that each picture is shown some 0.15 s late,
and files are counted from 1, so that labels lie 1/3 s later still; pictures are written at full
size; negatives are dropped before the list is cut in chunks, so that neighbouring frames lie on both
sides and the validation figure is no measure of other streams; the chart is a trailing sum. Two
things differ: ffmpeg's exit code is read, and average precision on another stream is taken as well.
What the post does not say (the share of chunks for validation, seeds, how long a sequence is) is chosen here and named.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lolhl.evaluate import metrics
from lolhl.labels.spans import Span
from lolhl.vod import ffmpeg
from tests.benchmarks.result import measured

FPS = 3
SIZE = 224
BATCH = 128
EPOCHS = 5
LEARNING_RATE = 1e-4
WORKERS = 2
POSITIVES = 0.3  # the share that is aimed at by dropping negatives
CHUNK = 90  # rows; of the list as it is after dropping, so that it is no 30 s any more
VALIDATION = 0.2  # share of the chunks; the post does not say
WINDOW = 30 * FPS  # rows of the trailing sum
SEQUENCE = 5 * FPS  # pictures that the LSTM reads, the last of which is the one that is judged; the post does not say
HIDDEN = 256  # units of the LSTM; the post does not say


@dataclass(frozen=True)
class Labelled:
    """Files in the order of their numbers, and what the recipe believes of them: bool [n]."""

    files: Sequence[Path]
    labels: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Epoch:
    """After an epoch.

    Attributes:
        wall: seconds of training so far; judging is not counted.
        loss: mean over the epoch.
        accuracy, average_precision: on its own, leaky validation side.
        elsewhere: average precision on the other stream, at the natural rate of highlights.
    """

    wall: float
    loss: float
    accuracy: float
    average_precision: float | None
    elsewhere: float | None


def command(video: Path, folder: Path, *, gpu: bool = False) -> list[str]:
    """The post's command line."""
    accelerated = ["-hwaccel", "cuda"] if gpu else []
    source = [*accelerated, "-i", str(video)]
    return [ffmpeg.path(), *ffmpeg.QUIET, *source, "-vf", f"fps={FPS}", "-q:v", "25", str(folder / "img%d.jpg")]


def extract(video: Path, folder: Path, *, gpu: bool = False) -> int:
    """Writes folder/img1.jpg, img2.jpg … at full size; returns how many."""
    folder.mkdir(parents=True)
    subprocess.run(command(video, folder, gpu=gpu), check=True)
    return len(list(folder.iterdir()))


def files(folder: Path) -> list[Path]:
    """The pictures in a folder, in the order of their numbers."""
    return sorted(folder.glob("img*.jpg"), key=lambda path: int(path.stem[3:]))


def labelled(folder: Path, spans: Sequence[Span]) -> Labelled:
    """Picture n is taken for the one at n / 3 seconds."""
    paths = files(folder)
    return Labelled(paths, shown(spans, len(paths)))


def shown(spans: Sequence[Span], count: int) -> npt.NDArray[np.bool_]:
    """Which of the pictures 1 … count the recipe takes for highlights: bool [count]."""
    times = np.arange(1, count + 1) / FPS
    inside = np.zeros(count, dtype=bool)
    for span in spans:
        inside |= (times >= span.start) & (times < span.stop)
    return inside


class _Pictures(Dataset[tuple[Tensor, int]]):
    """Each picture is opened, squeezed and scaled to 0 … 1 whenever it is asked for; no normalisation."""

    def __init__(self, paths: Sequence[Path], labels: npt.NDArray[np.bool_]) -> None:
        from torchvision.transforms import v2  # after lolhl, which lets it be imported beside CPU torch

        self.paths, self.labels = paths, labels
        # What ToTensor, which is deprecated, does.
        self.transform = v2.Compose([v2.Resize((SIZE, SIZE)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        with Image.open(self.paths[number]) as picture:
            return self.transform(picture.convert("RGB")), int(self.labels[number])


def network(architecture: str = "resnet50") -> nn.Module:
    """A ResNet of torchvision from scratch, with two classes."""
    from torchvision import models

    net: nn.Module = models.get_model(architecture, weights=None, num_classes=2)
    return net


def train(
    learnt: Labelled,
    other: Labelled,
    *,
    epochs: int = EPOCHS,
    architecture: str = "resnet50",
    bfloat16: bool = False,
    seed: int = 0,
) -> tuple[nn.Module, list[Epoch]]:
    """The network after the last epoch, and how it went.

    Args:
        learnt: the stream that is learnt from and, in part, validated on.
        other: another stream; a part of its files will do where time is short.
        architecture: a ResNet of torchvision; the post has resnet50.
        bfloat16: compute in bfloat16 where that is exact enough, which a CPU with AMX does twice as fast.
        seed: of the first weights, of what is dropped and of the order.
    """
    torch.manual_seed(seed)
    # This order in memory changes no figure but for rounding, and makes the recipe 1.5 times as fast on a CPU.
    net = network(architecture).to(_device())
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # of which its stub does not know
    rows = _sides(learnt.labels, np.random.default_rng(seed))
    sides = {side: Labelled([learnt.files[row] for row in kept], learnt.labels[kept]) for side, kept in rows.items()}
    device = _device()
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    loss_of = nn.CrossEntropyLoss()
    history: list[Epoch] = []
    wall = 0.0
    for _ in range(epochs):
        total, seen = 0.0, 0
        net.train()
        with measured() as timing:
            for pictures, labels in _loader(sides["train"], shuffle=True):
                optimizer.zero_grad()
                with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                    logits = net(pictures.to(device, memory_format=torch.channels_last))
                loss = loss_of(logits.float(), labels.to(device))
                loss.backward()
                optimizer.step()
                total, seen = total + loss.item() * len(labels), seen + len(labels)
        wall += timing.wall
        scores = score(net, sides["validation"].files, bfloat16=bfloat16)
        truth = sides["validation"].labels
        history.append(
            Epoch(
                wall,
                total / seen,
                float(np.mean(answers(scores) == truth)),
                metrics.average_precision(truth, scores),
                metrics.average_precision(other.labels, score(net, other.files, bfloat16=bfloat16)),
            )
        )
    return net, history


def score(net: nn.Module, paths: Sequence[Path], *, bfloat16: bool = False) -> npt.NDArray[np.float32]:
    """The probability of a highlight in each picture: float32 [n]."""
    return _probabilities(torch.from_numpy(_outputs(net, paths, bfloat16)))


def features(net: nn.Module, paths: Sequence[Path], *, bfloat16: bool = False) -> npt.NDArray[np.float32]:
    """What the network makes of each picture before its last layer: float32 [n, D]."""
    last = net.fc
    net.fc = nn.Identity()
    try:
        return _outputs(net, paths, bfloat16)
    finally:
        net.fc = last


class Recurrent(nn.Module):
    """The post's second network: an LSTM over features of pictures, float32 [B, T, D] → logits [B, 2] of the last."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size, HIDDEN, batch_first=True)
        self.last = nn.Linear(HIDDEN, 2)

    def forward(self, sequences: Tensor) -> Tensor:
        outputs, _ = self.lstm(sequences)
        logits: Tensor = self.last(outputs[:, -1])
        return logits


def train_recurrent(
    streams: Sequence[npt.NDArray[np.float32]], labels: npt.NDArray[np.bool_], *, epochs: int = EPOCHS, seed: int = 0
) -> Recurrent:
    """Learns the second network from features of the first, which stays as it is.

    Args:
        streams: of each stream, the features of its pictures in order: float32 [n, D].
        labels: of the pictures of all streams, one stream after the other: bool.
        epochs: over the rows that the first network learnt from.
        seed: of the first weights, of what is dropped and of the order.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    sequences = torch.cat([_sequences(stream) for stream in streams])
    classes = torch.from_numpy(labels.astype(np.int64))
    kept = _sides(labels, rng)["train"]
    net = Recurrent(sequences.shape[2])
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    loss_of = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for batch in torch.split(torch.from_numpy(rng.permutation(kept)), BATCH):
            optimizer.zero_grad()
            loss = loss_of(net(sequences[batch]), classes[batch])
            loss.backward()
            optimizer.step()
    return net.eval()


@torch.no_grad()
def score_recurrent(net: Recurrent, stream: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The probability of a highlight in each picture of a stream, of its features [n, D]: float32 [n]."""
    return _probabilities(torch.cat([net(batch) for batch in torch.split(_sequences(stream), BATCH)]))


def answers(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """The argmax of two classes: bool [n]."""
    return scores > 0.5


def chart(called: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """How many of the last 30 s of pictures were called highlights: int64 [n]."""
    sums = np.concatenate([np.zeros(WINDOW, dtype=np.int64), np.cumsum(called)])
    trailing: npt.NDArray[np.int64] = sums[WINDOW:] - sums[:-WINDOW]
    return trailing


@torch.no_grad()
def _outputs(net: nn.Module, paths: Sequence[Path], bfloat16: bool) -> npt.NDArray[np.float32]:
    device = _device()
    net.eval().to(device)
    outputs = []
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        for pictures, _ in _loader(Labelled(paths, np.zeros(len(paths), dtype=bool)), shuffle=False):
            outputs.append(net(pictures.to(device, memory_format=torch.channels_last)).float().cpu().numpy())
    return np.concatenate(outputs)


def _probabilities(logits: Tensor) -> npt.NDArray[np.float32]:
    probabilities: npt.NDArray[np.float32] = torch.softmax(logits, dim=1)[:, 1].numpy()
    return probabilities


def _sequences(stream: npt.NDArray[np.float32]) -> Tensor:
    """Each picture's features behind those of the pictures before it, [n, D] → [n, T, D]; the first is repeated."""
    padded = torch.from_numpy(np.concatenate([np.repeat(stream[:1], SEQUENCE - 1, axis=0), stream]))
    return padded.unfold(0, SEQUENCE, 1).transpose(1, 2)


def _sides(labels: npt.NDArray[np.bool_], rng: np.random.Generator) -> dict[str, npt.NDArray[np.int64]]:
    """The rows to learn from and to validate on.

    Negatives are dropped first, then the shorter list is cut in chunks: the leak that the recipe has.
    """
    negatives = np.flatnonzero(~labels)
    wanted = round(int(labels.sum()) * (1 - POSITIVES) / POSITIVES)
    dropped = rng.permutation(negatives)[wanted:]
    rows = np.setdiff1d(np.arange(len(labels)), dropped)
    chunks = np.arange(len(rows)) // CHUNK
    names = rng.permutation(chunks.max() + 1)
    held_out = np.isin(chunks, names[: max(1, round(VALIDATION * len(names)))])
    return {"train": rows[~held_out], "validation": rows[held_out]}


def _loader(pictures: Labelled, *, shuffle: bool) -> DataLoader[tuple[Tensor, int]]:
    dataset = _Pictures(pictures.files, pictures.labels)
    return DataLoader(dataset, batch_size=BATCH, shuffle=shuffle, num_workers=WORKERS)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
