"""Lets torchvision be imported beside a CPU build of torch.

The registry's torchvision wheel links CUDA: beside CPU torch its compiled operators cannot be
loaded, and `import torchvision` fails when it registers fake kernels for the missing `nms`. Declaring
the two operators' schemas first is enough for everything that lolhl uses (models, transforms).
Where the operators can be loaded, nothing happens.
"""

import sys

TYPE_CHECKING = False  # until `lolhl.__main__` runs Ctrl-C gives a traceback: nothing is imported that need not be
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_declared: list[object] = []  # the declarations live as long as the Library object does


class _Finder:
    """Declares the operators when torchvision is first looked for, so that it costs nothing before."""

    def find_spec(
        self, name: str, _path: "Sequence[str] | None" = None, _target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if name == "torchvision":
            sys.meta_path.remove(self)
            _declare_missing_operators()
        return None


def install() -> None:
    if "torchvision" not in sys.modules and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _declare_missing_operators() -> None:
    import ctypes
    import importlib.util
    from pathlib import Path

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    import torch

    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            ctypes.CDLL(str(library))
        except OSError:
            continue
        return
    fragment = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in ("nms", "qnms"):
        fragment.define(f"{schema}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _declared.append(fragment)
