"""Model bundles: weights in safetensors and a JSON that says all that is needed to use them.

Nothing in a bundle is executed when it is loaded.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

import msgspec
import torch
from msgspec import Meta
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lolhl import layout, manifest
from lolhl.errors import ModelError, UsageError
from lolhl.evaluate.calibration import Calibration
from lolhl.labels.habits import Habits
from lolhl.models import backbones, openvino_runtime
from lolhl.models.champion import manifest_key as manifest_key
from lolhl.models.champion import resolve
from lolhl.models.encoder import Encoder
from lolhl.models.network import Architecture, Head, Network, outline
from lolhl.results import Model, ModelFigures
from lolhl.storage import Root
from lolhl.vod.view import Fit, View

_HEAD, _BACKBONE = "head.", "backbone."  # how names of weights begin
_REACH = 3600  # seconds: as far as a dataset can keep its sides apart


@dataclass(frozen=True)
class Bundle:
    """A trained model, ready to score.

    Attributes:
        name: under models/ of a root.
        encoder: what turns pictures into features: the model's backbone.
        head: what turns features into a logit: in evaluation mode, on the CPU.
        view: the frames that it must be given.
        threshold: on the calibrated probability smoothed over `smooth_seconds`; chosen on validation.
        calibration: of the probabilities that the head gives.
        habits: how highlights are labelled where it learnt.
        frozen: True when the backbone is as it was before training, so that features can be shared.
        digest: of the whole bundle.
        metrics: figures on the validation side, for people.
    """

    name: str
    encoder: Encoder
    head: Head
    view: View
    threshold: float
    smooth_seconds: float
    calibration: Calibration
    habits: Habits | None
    frozen: bool
    digest: str
    metrics: ModelFigures


def weights_bytes(network: Network) -> bytes:
    """The weights as safetensors."""
    return save({key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()})


def load_bundle(root: Root, name: str) -> Bundle:
    """The model with this name, or the champion.

    Raises:
        MissingInput: there is none.
        StorageError: its weights are gone or damaged.
        ModelError: a value in its manifest is none that training writes, or its weights do not fit its architecture.
            That is known before much memory is taken.
    """
    name = resolve(root, name)
    made = manifest.load(root, manifest_key(name), Model, f"lolhl train {name}")
    where, redo = f"{root.url}/{manifest_key(name)}", layout.remake(manifest_key(name))
    try:
        contract = msgspec.convert(vars(made.result), _Contract)
        contract.check()
    except (msgspec.ValidationError, ValueError) as error:
        raise ModelError(f"{where} is no model's ({_shown(error)}): run `{redo}`") from error
    data = made.read(root, layout.weights(name), redo)
    try:
        weights = load(data)
        _check_numbers(weights)
        for other in sorted(name for name in weights if not name.startswith((_HEAD, _BACKBONE))):
            raise ValueError(f"{other} is of another network")
        head = _head(contract.architecture, _part(weights, _HEAD))
    except (SafetensorError, TypeError, ValueError) as error:
        raise _unfit(root, name, error) from error

    @functools.cache
    def network() -> Network:
        return _network(root, name, contract, weights)

    encoder = Encoder(
        contract.architecture.backbone,
        backbones.digest(_part(weights, _BACKBONE)),
        head.width,
        contract.normalisation.mean,
        contract.normalisation.std,
        network,
    )
    if torch.cuda.is_available() or not openvino_runtime.is_kept(encoder, contract.view.size):
        network()  # so that what is wrong with it is said before anything is done
    return Bundle(
        name=name,
        encoder=encoder,
        head=head.eval(),
        view=contract.view.exact(),
        threshold=made.result.threshold,
        smooth_seconds=made.result.smooth_seconds,
        calibration=made.result.calibration,
        habits=made.result.habits,
        frozen=made.result.frozen,
        digest=made.content_digest(),
        metrics=made.result.metrics,
    )


def _head(architecture: Architecture, weights: Mapping[str, Tensor]) -> Head:
    """The head with these weights. Raises ValueError where they are another one's."""
    first = weights.get("project.weight" if architecture.kind == "video" else "linear.weight")
    width = first.shape[1] if first is not None and first.dim() == 2 else 1
    with torch.device("meta"):  # without memory: a wrong architecture may ask for gigabytes
        head = Head(architecture, width)
    _check_weights(weights, head.state_dict(), _HEAD)
    head.load_state_dict(weights, assign=True)
    return head


def _network(root: Root, name: str, contract: "_Contract", weights: Mapping[str, Tensor]) -> Network:
    """The whole network, in evaluation mode: importing and building the backbone takes seconds. Raises ModelError."""
    where, redo = f"{root.url}/{manifest_key(name)}", f"lolhl train {name} --force"
    try:
        expected = outline(contract.architecture)
    except UsageError as error:
        raise ModelError(f"{where} is no model's ({_shown(error)}): run `{redo}`") from error
    if expected.normalisation != {name: list(values) for name, values in vars(contract.normalisation).items()}:
        raise ModelError(f"{where} was trained with another normalisation than its backbone has here: run `{redo}`")
    if expected.side not in (None, contract.view.size):
        raise ModelError(
            f"{where} is for pictures of {contract.view.size} px, its backbone of {expected.side}: run `{redo}`"
        )
    try:
        _check_weights(weights, expected.state_dict())
        network = Network(contract.architecture)
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise _unfit(root, name, error) from error
    return network.eval()


def _part(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those below this name, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _unfit(root: Root, name: str, error: Exception) -> ModelError:
    where = f"{root.url}/{manifest_key(name)}"
    return ModelError(f"the weights of {where} do not fit it ({_shown(error)}): run `lolhl train {name} --force`")


@dataclass(frozen=True)
class _View:
    """A view as it is written: its rate as a whole number or a fraction of whole numbers."""

    fps: Annotated[str, Meta(pattern=r"^[0-9]{1,9}(/[1-9][0-9]{0,8})?$")]
    size: Annotated[int, Meta(ge=16, le=2048)]
    fit: Fit

    def exact(self) -> View:
        return View(Fraction(self.fps), self.size, self.fit)


@dataclass(frozen=True)
class _Normalisation:
    """What a backbone expects, per colour, for values from 0 to 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class _Contract:
    """What model.json must say for the model to be used, with the limits that training keeps."""

    architecture: Architecture
    view: _View
    normalisation: _Normalisation

    def check(self) -> None:
        """Raises ValueError where values do not go together, or are no numbers."""
        fps = self.view.exact().fps
        if not 0 < fps <= 240:
            raise ValueError(f"view.fps is {self.view.fps}, and must be above 0 and at most 240")
        if self.architecture.reach() > fps * _REACH:
            raise ValueError(f"architecture: its clips reach further than {_REACH} s")
        if not math.isfinite(self.architecture.dropout):
            raise ValueError("architecture.dropout is no number")


def _check_weights(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], prefix: str = "") -> None:
    """Raises ValueError unless these are the weights of a network, whose names begin with `prefix` in the file."""
    for name in sorted(expected.keys() ^ weights.keys()):
        raise ValueError(f"{prefix}{name} is {'missing' if name in expected else 'of another network'}")
    for name, tensor in weights.items():
        needed = expected[name]
        if tensor.shape != needed.shape:
            raise ValueError(f"{prefix}{name} has the shape {list(tensor.shape)} in place of {list(needed.shape)}")
        if tensor.dtype != needed.dtype:
            raise ValueError(f"{prefix}{name} is {tensor.dtype} in place of {needed.dtype}")


def _check_numbers(weights: Mapping[str, Tensor]) -> None:
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds values that are no numbers")


def _shown(error: Exception) -> str:
    """An error's first line, with fields as they stand in model.json."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.replace("$.", "result.").replace("--backbone ", "result.architecture.backbone ")[:300]
