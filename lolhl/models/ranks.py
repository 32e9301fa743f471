"""Several processes that train one model together, as torchrun starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from lolhl.errors import ModelError

# A process that dies closes its connections, which the others see at once; one whose machine vanished does not.
_STEP = timedelta(minutes=10)  # no step and no checkpoint takes so long: the others give up on it then
_STAGE = timedelta(days=1)  # the first process may compute features for hours while the others wait


@dataclass(frozen=True)
class Ranks:
    """This process among all: `rank` of `world`, of which `local_world` run on this machine.

    `group` joins all of them over gloo, beside the group that gradients go through.
    """

    rank: int
    world: int
    local_world: int
    group: distributed.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """True for the one process that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Returns when all processes have come here."""
        if self.world > 1:
            with lost_told():
                distributed.barrier(self.group)

    def any(self, told: bool) -> bool:
        """Whether one of all processes was told so: the same answer for all, which must all ask."""
        if self.world == 1:
            return told
        flag = torch.tensor([told], dtype=torch.int32)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX, self.group)  # no GPU waits for it
        return bool(flag)

    def gather(self, figures: list[float]) -> list[list[float]]:
        """The figures of each process, by rank."""
        if self.world == 1:
            return [figures]
        everyones: list[list[float]] = [[]] * self.world
        distributed.all_gather_object(everyones, figures, self.group)
        return everyones


@contextmanager
def lost_told() -> Iterator[None]:
    """Says in one line that another process was lost.

    Raises:
        ModelError: in place of what gloo or NCCL raise then.
    """
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, distributed.DistError) or "gloo" in str(error)):
            raise
        why = str(error).splitlines()[0][:200]
        raise ModelError(f"another process of this training was lost ({why}): run again, it goes on") from error


def join() -> Ranks:
    """This process's place, from torchrun's environment; alone without it."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Ranks(0, 1, 1)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_STEP)
    group = distributed.new_group(backend="gloo", timeout=_STAGE)
    return Ranks(int(os.environ["RANK"]), world, int(os.environ["LOCAL_WORLD_SIZE"]), group)
