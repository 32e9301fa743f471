"""Several processes that train one model together, as torchrun starts them."""

import os
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Ranks:
    """This process among all: `rank` of `world`, of which `local_world` run on this machine."""

    rank: int
    world: int
    local_world: int

    @property
    def first(self) -> bool:
        """True for the one process that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Returns when all processes have come here."""
        if self.world > 1:
            distributed.barrier()


def join() -> Ranks:
    """This process's place, from torchrun's environment; alone without it."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Ranks(0, 1, 1)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Ranks(int(os.environ["RANK"]), world, int(os.environ["LOCAL_WORLD_SIZE"]))
