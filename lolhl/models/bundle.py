"""Model bundles: weights in safetensors and a JSON that says all that is needed to use them.

Nothing in a bundle is executed when it is loaded.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from lolhl import manifest
from lolhl.errors import ModelError
from lolhl.manifest import Output
from lolhl.models.champion import manifest_key as manifest_key
from lolhl.models.champion import resolve
from lolhl.models.network import Architecture, Network
from lolhl.storage import Root
from lolhl.vod.decode import View


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
    metrics: dict[str, Any]


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
        ModelError: they do not fit its architecture.
    """
    name = resolve(root, name)
    root = root.ahead([manifest_key(name), weights_key(name)])
    said = manifest.load(root, manifest_key(name), f"lolhl train {name}")
    where = f"{root.url}/{weights_key(name)}"
    redo = f"lolhl train {name} --force"
    data, result = said.read(root, weights_key(name), redo), said.result
    try:
        network = Network(Architecture(**result["architecture"]))
        network.load_state_dict(load(data))
        view = View(Fraction(result["view"]["fps"]), result["view"]["size"], result["view"]["fit"])
    except (SafetensorError, RuntimeError, TypeError, ValueError, KeyError) as error:
        why = str(error).splitlines()[0]
        raise ModelError(f"{where} does not fit its model.json ({why}): run `{redo}`") from error
    if network.normalisation != result["normalisation"]:
        raise ModelError(f"{where} was trained with another normalisation than its backbone has here: run `{redo}`")
    return Bundle(
        name=name,
        network=network.eval(),
        view=view,
        threshold=result["threshold"],
        smooth_seconds=result["smooth_seconds"],
        frozen=result["frozen"],
        digest=said.content_digest(),
        metrics=result["metrics"],
    )
