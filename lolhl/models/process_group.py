"""The processes that train one model together, as torchrun starts them."""

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
class ProcessGroup:
    """This process among all: `rank` of `world`, of which `local_world` run on this machine.

    `group` connects all of them over gloo. Gradients go through another group.
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
        """Blocks until every process has called this."""
        if self.world > 1:
            with report_lost_process():
                distributed.barrier(self.group)

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in at least one process. Every process must call this; all get the same answer."""
        if self.world == 1:
            return flag
        shared = torch.tensor([flag], dtype=torch.int32)
        distributed.all_reduce(shared, distributed.ReduceOp.MAX, self.group)  # no GPU waits for it
        return bool(shared)

    def gather(self, figures: list[float]) -> list[list[float]]:
        """Returns the figures of every process, in order of rank. Every process must call this."""
        if self.world == 1:
            return [figures]
        figures_by_rank: list[list[float]] = [[]] * self.world
        distributed.all_gather_object(figures_by_rank, figures, self.group)
        return figures_by_rank


@contextmanager
def report_lost_process() -> Iterator[None]:
    """Reports in one line that another process was lost.

    Raises:
        ModelError: another process was lost. It replaces what gloo or NCCL raise then.
    """
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, distributed.DistError) or "gloo" in str(error)):
            raise
        why = str(error).splitlines()[0][:200]
        raise ModelError(f"another process of this training was lost ({why}): run again, it goes on") from error


def join_process_group() -> ProcessGroup:
    """Joins the group that torchrun's environment describes. Without that environment the process is alone in it."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return ProcessGroup(0, 1, 1)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_STEP)
    group = distributed.new_group(backend="gloo", timeout=_STAGE)
    return ProcessGroup(int(os.environ["RANK"]), world, int(os.environ["LOCAL_WORLD_SIZE"]), group)
