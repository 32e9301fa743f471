"""The settings of `train`: what is learnt, and how."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from lolhl.config import setting
from lolhl.errors import UsageError
from lolhl.models import tracking
from lolhl.models.learning import FitSettings, LearnConfig
from lolhl.models.model import ClipSettings
from lolhl.models.network import PICTURES


@dataclass(frozen=True, kw_only=True)
class TrainConfig(LearnConfig):
    """What is learnt, and how."""

    dataset: str = setting("default", "name of the dataset to learn from")
    backbone: str = setting("tf_efficientnet_lite0", "resnet18, resnet34, resnet50, or any name of timm")
    weights: Literal["pretrained", "none"] = setting("pretrained", "the backbone's first weights")
    tune: Literal["head", "all"] = setting("head", "learn the head over a frozen backbone, or all")
    augment: bool = setting(True, "with --tune all: shift pictures a little and change their brightness and contrast")
    precision: Literal["auto", "bf16", "float32"] = setting(
        "auto",
        "of products: bf16, float32, or auto: bf16 for --tune all where the GPU or the processor has it",
    )
    compile: Literal["auto", "yes", "no"] = setting(
        "auto",
        "compile the network before training: yes, no, or auto: for --tune all on a GPU with a C compiler beside",
    )
    smooth_seconds: float | None = setting(
        None,
        "seconds over which probabilities are averaged before the threshold (default: a quarter of the median label)",
        at_least=0,
        at_most=3600,
        unrecorded=5.0,
    )
    register: str = setting("lolhl", "name of the model in MLflow's registry", neutral=True)
    alias: str = setting("challenger", "alias that the registry points to this model", neutral=True)
    cache_gb: float | None = setting(
        None,
        "memory for what is learnt from, on the GPU or off it, in GB: decoded frames beyond go to a file in "
        "$LOLHL_CACHE (default: half of what is free)",
        at_least=0,
        at_most=1e6,
        neutral=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compile == "yes" and not _has_compiler():
            raise UsageError("--compile yes needs a C compiler: install gcc or clang, or leave it out")
        tracking.check_names(self.register, self.alias)
        if self.backbone != type(self).backbone and PICTURES not in self.model.wanted:
            raise UsageError(
                f"--backbone {self.backbone}: the model sees no pictures: leave it out, or add pictures to --signals"
            )
        if self.weights == "none" and self.tune == "head":
            raise UsageError(
                "--weights none with --tune head learns nothing: add --tune all, or use pretrained weights"
            )
        if self.tune == "all" and not (isinstance(self.model, ClipSettings) and self.model.wanted == (PICTURES,)):
            raise UsageError(
                f"--tune all is for clips of pictures, not for --kind {self.kind}: leave it out, or add --kind video"
            )

    def fit(self, samples: int, device: torch.device) -> FitSettings:
        """How to learn from so many samples on this device."""
        deep, gpu = self.tune == "all", device.type == "cuda"
        return self.fit_settings(
            samples,
            windows=not isinstance(self.model, ClipSettings),
            deep=deep,
            augment=deep and self.augment,
            bf16=self.precision == "bf16" or (self.precision == "auto" and deep and _has_bf16(device)),
            compiled=self.compile == "yes" or (self.compile == "auto" and deep and gpu and _has_compiler()),
        )


def _has_bf16(device: torch.device) -> bool:
    """Whether the device itself computes in bfloat16: training is then about twice as fast, else slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    with suppress(OSError):  # Linux on x86 only
        return bool({"avx512_bf16", "amx_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
    return False


def _has_compiler() -> bool:
    return any(shutil.which(name) for name in (os.environ.get("CC", "gcc"), "gcc", "clang"))
