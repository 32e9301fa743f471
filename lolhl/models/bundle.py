"""Model bundles: weights in safetensors and a JSON that says all that is needed to use them.

Nothing in a bundle is executed when it is loaded.
"""

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
from lolhl.manifest import Output
from lolhl.models.champion import manifest_key as manifest_key
from lolhl.models.champion import resolve
from lolhl.models.network import Architecture, Network, outline
from lolhl.results import Model, ModelFigures
from lolhl.storage import Root
from lolhl.vod.view import Fit, View

_REACH = 3600  # seconds: as far as a dataset can keep its sides apart


def weights_key(name: str) -> str:
    return f"models/{name}/model.safetensors"


@dataclass(frozen=True)
class Bundle:
    """A trained model, ready to score.

    Attributes:
        name: under models/ of a root.
        network: in evaluation mode, on the CPU.
        view: the frames that it must be given.
        threshold: on the probability smoothed over `smooth_seconds`; chosen on validation.
        frozen: True when the backbone is as it was before training, so that features can be shared.
        digest: of the whole bundle.
        metrics: figures on the validation side, for people.
    """

    name: str
    network: Network
    view: View
    threshold: float
    smooth_seconds: float
    frozen: bool
    digest: str
    metrics: ModelFigures


def store_weights(root: Root, name: str, network: Network) -> Output:
    """Writes the weights; the bundle exists once its manifest is written too."""
    data = save({key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()})
    root.write(weights_key(name), data)
    return Output.of(weights_key(name), data)


def load_bundle(root: Root, name: str) -> Bundle:
    """The model with this name, or the champion.

    Raises:
        MissingInput: there is none.
        StorageError: its weights are gone or damaged.
        ModelError: a value in its manifest is none that training writes, or its weights do not fit its architecture.
            That is known before much memory is taken.
    """
    name = resolve(root, name)
    root = root.ahead([manifest_key(name), weights_key(name)])
    made = manifest.load(root, manifest_key(name), Model, f"lolhl train {name}")
    where, redo = f"{root.url}/{manifest_key(name)}", layout.remake(manifest_key(name))
    try:
        contract = msgspec.convert(vars(made.result), _Contract)
        contract.check()
        expected = outline(contract.architecture)
    except (msgspec.ValidationError, ValueError, UsageError) as error:
        raise ModelError(f"{where} is no model's ({_shown(error)}): run `{redo}`") from error
    view = contract.view.exact()
    if expected.normalisation != contract.normalisation:
        raise ModelError(f"{where} was trained with another normalisation than its backbone has here: run `{redo}`")
    if expected.side not in (None, view.size):
        raise ModelError(f"{where} is for pictures of {view.size} px, its backbone of {expected.side}: run `{redo}`")
    try:
        weights = load(made.read(root, weights_key(name), redo))
        _check_weights(weights, expected.state_dict())
        network = Network(contract.architecture)
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError, TypeError, ValueError, KeyError) as error:
        weights_file = f"{root.url}/{weights_key(name)}"
        raise ModelError(f"{weights_file} does not fit its model.json ({_shown(error)}): run `{redo}`") from error
    return Bundle(
        name=name,
        network=network.eval(),
        view=view,
        threshold=made.result.threshold,
        smooth_seconds=made.result.smooth_seconds,
        frozen=made.result.frozen,
        digest=made.content_digest(),
        metrics=made.result.metrics,
    )


@dataclass(frozen=True)
class _View:
    """A view as it is written: its rate as a whole number or a fraction of whole numbers."""

    fps: Annotated[str, Meta(pattern=r"^[0-9]{1,9}(/[1-9][0-9]{0,8})?$")]
    size: Annotated[int, Meta(ge=16, le=2048)]
    fit: Fit

    def exact(self) -> View:
        return View(Fraction(self.fps), self.size, self.fit)


@dataclass(frozen=True)
class _Contract:
    """What model.json must say for the model to be used, with the limits that training keeps."""

    architecture: Architecture
    view: _View
    normalisation: dict[str, list[float]]

    def check(self) -> None:
        """Raises ValueError where values do not go together, or are no numbers."""
        fps = self.view.exact().fps
        if not 0 < fps <= 240:
            raise ValueError(f"view.fps is {self.view.fps}, and must be above 0 and at most 240")
        if self.architecture.reach() > fps * _REACH:
            raise ValueError(f"architecture: its clips reach further than {_REACH} s")
        if not math.isfinite(self.architecture.dropout):
            raise ValueError("architecture.dropout is no number")


def _check_weights(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raises ValueError unless these are the network's weights, and numbers all of them."""
    for name in sorted(expected.keys() ^ weights.keys()):
        raise ValueError(f"{name} is {'missing' if name in expected else 'of another network'}")
    for name, tensor in weights.items():
        needed = expected[name]
        if tensor.shape != needed.shape:
            raise ValueError(f"{name} has the shape {list(tensor.shape)} in place of {list(needed.shape)}")
        if tensor.dtype != needed.dtype:
            raise ValueError(f"{name} is {tensor.dtype} in place of {needed.dtype}")
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds values that are no numbers")


def _shown(error: Exception) -> str:
    """An error's first line, with fields as they stand in model.json."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.replace("$.", "result.").replace("--backbone ", "result.architecture.backbone ")[:300]
