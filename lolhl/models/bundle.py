"""Model bundles: weights in safetensors and a JSON that says all that is needed to use them.

Nothing in a bundle is executed when it is loaded.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lolhl import layout, manifest
from lolhl.backbones import catalogue, openvino_runtime
from lolhl.backbones.encoder import Encoder
from lolhl.errors import ModelError, UsageError
from lolhl.evaluate.calibration import Calibration
from lolhl.labels.habits import Habits
from lolhl.models.champion import resolve
from lolhl.models.model import ModelSettings, TrackModel
from lolhl.models.network import PICTURES, Network, outline
from lolhl.models.registry import MODELS
from lolhl.results import BackboneRecipe, Model, ModelFigures, SignalRecipe
from lolhl.signals import SIGNALS, Signal, open_signal
from lolhl.storage import Root
from lolhl.vod.view import Fit, View

_HEAD, _BACKBONE = "head.", "backbone."  # how names of weights begin
_REACH = 3600  # seconds: as far as a dataset can keep its sides apart


@dataclass(frozen=True)
class Bundle:
    """A trained model, ready to score.

    Attributes:
        name: under models/ of a root.
        model: what turns tracks into logits: in evaluation mode, on the CPU.
        signals: what makes each track that the model wants.
        encoder: what turns pictures into features; None where the model sees no pictures.
        view: the grid, and the pictures that signals are measured from.
        threshold: on the calibrated probability smoothed over `smooth_seconds`; chosen on validation.
        calibration: of the probabilities that the model gives.
        habits: how highlights are labelled where it learnt.
        frozen: True when the backbone is as it was before training, so that features can be shared.
        digest: of the whole bundle.
        metrics: figures on the validation side, for people.
    """

    name: str
    model: TrackModel
    signals: Mapping[str, SignalRecipe]
    encoder: Encoder | None
    view: View
    threshold: float
    smooth_seconds: float
    calibration: Calibration
    habits: Habits | None
    frozen: bool
    digest: str
    metrics: ModelFigures

    def open(self, signal: str) -> Signal:
        """Opens one of its signals, as the model knows it.

        Raises:
            ModelError: there is no such signal here, or it gives other values than those that the model learnt from.
        """
        recipe, redo = self.signals[signal], layout.remake(layout.model(self.name))

        def encoder() -> Encoder:
            if self.encoder is None:
                raise ModelError(f"model {self.name} has no backbone, and its signal {signal} needs one: run `{redo}`")
            return self.encoder

        if signal not in SIGNALS:
            raise ModelError(f"model {self.name} wants the signal {signal}, which this lolhl does not have")
        opened = open_signal(signal, self.view, encoder)
        if not gives_the_same(opened, recipe):
            raise ModelError(f"model {self.name} learnt from another version of the signal {signal}: run `{redo}`")
        return opened


def recorded_settings(signal: Signal) -> dict[str, Any]:
    """The settings of a signal that a bundle records: all but a backbone, which lies among its weights."""
    return {name: value for name, value in signal.settings.items() if name != "backbone"}


def gives_the_same(signal: Signal, recipe: SignalRecipe) -> bool:
    """Whether a signal gives the values that a model learnt from, but for a backbone, which is among its weights."""
    return (signal.version, recorded_settings(signal)) == (recipe.version, recipe.settings)


def weights_bytes(model: TrackModel, network: Network | None) -> bytes:
    """The weights of a model, and of the backbone under it, as safetensors.

    Args:
        network: the network that has the backbone. None where there is none.
    """
    weights = {f"{_HEAD}{key}": tensor for key, tensor in model.state_dict().items()}
    if network:
        weights |= {f"{_BACKBONE}{key}": tensor for key, tensor in network.backbone.state_dict().items()}
    return save({key: tensor.detach().cpu().contiguous() for key, tensor in weights.items()})


def load_bundle(root: Root, name: str) -> Bundle:
    """The model with this name, or the champion.

    Raises:
        MissingInput: there is none.
        StorageError: its weights are gone or damaged.
        ModelError: a value in its manifest is none that training writes, or its weights do not fit its settings.
            That is known before much memory is taken.
    """
    name = resolve(root, name)
    stored = manifest.load(root, layout.model(name), Model, f"lolhl train {name}")
    result = stored.result
    where, redo = f"{root.url}/{layout.model(name)}", layout.remake(layout.model(name))
    try:
        view = _view(result)
        settings = _settings(result, view)
    except (UsageError, ValueError) as error:
        raise ModelError(f"{where} is no model's ({_shown(error)}): run `{redo}`") from error
    data = stored.read(root, layout.weights(name), redo)
    try:
        weights = load(data)
        _check_numbers(weights)
        parts = (_HEAD, _BACKBONE) if result.backbone else (_HEAD,)
        for other in sorted(name for name in weights if not name.startswith(parts)):
            raise ValueError(f"{other} is of another network")
        model = _model(result, settings, _part(weights, _HEAD))
    except (SafetensorError, TypeError, ValueError) as error:
        raise _unfit(root, name, error) from error
    encoder = _encoder(root, name, result.backbone, model.widths[PICTURES], view, weights) if result.backbone else None
    if encoder and (torch.cuda.is_available() or not openvino_runtime.is_kept(encoder, view.size)):
        encoder.network()  # so that what is wrong with it is said before anything is done
    return Bundle(
        name=name,
        model=model.eval(),
        signals={name: result.signals[name] for name in settings.wanted},
        encoder=encoder,
        view=view,
        threshold=result.threshold,
        smooth_seconds=result.smooth_seconds,
        calibration=result.calibration,
        habits=result.habits,
        frozen=result.frozen,
        digest=stored.content_digest(),
        metrics=result.metrics,
    )


def _settings(result: Model, view: View) -> ModelSettings:
    """The settings of its kind. Raises UsageError or ValueError where there is no such kind, or no such setting."""
    if result.kind not in MODELS:
        raise ValueError(f"kind {result.kind[:40]!r} is none of {', '.join(MODELS)}")
    try:
        settings = MODELS[result.kind].Settings(**result.settings)
    except TypeError as error:  # a name that it does not have
        raise ValueError(f"settings: {str(error).partition(' ')[2]}") from error
    if set(settings.wanted) != set(result.signals):
        raise ValueError(f"signals are {', '.join(result.signals)}, and the model wants {', '.join(settings.wanted)}")
    if (PICTURES in result.signals) != (result.backbone is not None):
        raise ValueError("backbone goes with the signal pictures")
    if settings.context is not None and settings.context > view.fps * _REACH:
        raise ValueError(f"settings: the model reaches further than {_REACH} s")
    return settings


def _view(result: Model) -> View:
    """The view. Raises ValueError where it is none."""
    try:
        view = msgspec.convert(result.view, _View)
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("$.", "result.view.").replace("$", "result.view")) from error
    fps = Fraction(view.fps)
    if not 0 < fps <= 240:
        raise ValueError(f"view.fps is {view.fps}, and must be above 0 and at most 240")
    return View(fps, view.size, view.fit)


def _model(result: Model, settings: ModelSettings, weights: Mapping[str, Tensor]) -> TrackModel:
    """The model with these weights. Raises ValueError where they are another one's."""
    first = weights.get("project.weight", weights.get("linear.weight"))
    known = first.shape[1] if first is not None and first.dim() == 2 else 1  # of models that do not say it
    # In the order of the settings, which the weights of a joined model have. A manifest's keys are sorted.
    widths = {name: result.signals[name].width or known for name in settings.wanted}
    with torch.device("meta"):  # without memory: wrong settings may ask for gigabytes
        model = MODELS[result.kind](settings, widths)
    _check_weights(weights, model.state_dict(), _HEAD)
    if any(tensor.is_meta for name, tensor in model.named_buffers() if name not in weights):
        model = MODELS[result.kind](settings, widths)
    model.load_state_dict(weights, assign=True)
    return model


def _encoder(
    root: Root, name: str, backbone: BackboneRecipe, width: int, view: View, weights: Mapping[str, Tensor]
) -> Encoder:
    """The backbone. Its network is built when it is first needed: importing and building it takes seconds."""
    backbone_weights = _part(weights, _BACKBONE)

    @functools.cache
    def network() -> Network:
        return _network(root, name, backbone, view, backbone_weights)

    return Encoder(backbone.name, catalogue.digest(backbone_weights), width, backbone.mean, backbone.std, network)


def _network(root: Root, name: str, backbone: BackboneRecipe, view: View, weights: Mapping[str, Tensor]) -> Network:
    """The network with the backbone, in evaluation mode. Raises ModelError where something does not fit."""
    where, redo = f"{root.url}/{layout.model(name)}", f"lolhl train {name} --force"
    try:
        expected = outline(backbone.name)
    except UsageError as error:
        raise ModelError(f"{where} is no model's ({_shown(error)}): run `{redo}`") from error
    if expected.normalisation != {"mean": list(backbone.mean), "std": list(backbone.std)}:
        raise ModelError(f"{where} was trained with another normalisation than its backbone has here: run `{redo}`")
    if expected.side not in (None, view.size):
        raise ModelError(f"{where} is for pictures of {view.size} px, its backbone of {expected.side}: run `{redo}`")
    try:
        _check_weights(weights, expected.backbone.state_dict(), _BACKBONE)
        network = Network(backbone.name)
        network.backbone.load_state_dict(weights)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise _unfit(root, name, error) from error
    return network.eval()


def _part(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those below this name, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _unfit(root: Root, name: str, error: Exception) -> ModelError:
    where = f"{root.url}/{layout.model(name)}"
    return ModelError(f"the weights of {where} do not fit it ({_shown(error)}): run `lolhl train {name} --force`")


@dataclass(frozen=True)
class _View:
    """A view as it is written: its rate as a whole number or a fraction of whole numbers."""

    fps: Annotated[str, Meta(pattern=r"^[0-9]{1,9}(/[1-9][0-9]{0,8})?$")]
    size: Annotated[int, Meta(ge=16, le=2048)]
    fit: Fit


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
    line = (str(error).splitlines() or [type(error).__name__])[0].replace("--backbone ", "result.backbone.name ")
    return re.sub(r"^--([a-z-]+)", lambda flag: f"result.settings.{flag[1].replace('-', '_')}", line)[:300]
