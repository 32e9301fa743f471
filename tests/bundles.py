"""Bundles as `train` writes them, of networks that have learnt nothing."""

from dataclasses import replace
from typing import Any

from lolhl import layout
from lolhl.manifest import Manifest
from lolhl.models import bundle
from lolhl.models.network import Network
from lolhl.models.registry import MODELS
from lolhl.results import BackboneRecipe, Model, SignalRecipe
from lolhl.storage import Root
from tests.results import MODEL, store, written


def store_bundle(root: Root, name: str, network: Network, view: dict[str, Any], **new: Any) -> Manifest[Model]:
    """A bundle of a network that has a head, as `train` writes it."""
    model = network.head
    assert model
    output = written(root, f"models/{name}/model.safetensors", bundle.weights_bytes(model, network))
    recipe = SignalRecipe(version=1, settings={"size": view["size"], "fit": view["fit"]}, width=network.width)
    mean, std = ((values[0], values[1], values[2]) for values in network.normalisation.values())
    result = replace(
        MODEL,
        kind=next(kind for kind, known in MODELS.items() if isinstance(model, known)),
        settings=model.settings.recorded(),
        signals={"pictures": recipe},
        backbone=BackboneRecipe(name=network.name, mean=mean, std=std),
        view=view,
    )
    return store(root, layout.model(name), result, (output,), **new)
