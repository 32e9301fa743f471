"""Machines that GPU clusters commonly have, for `h=`: a whole machine's share of one GPU, or all its GPUs."""

from torchx.specs import Resource

_GIB = 1024  # MB, as TorchX counts


def lolhl_cpu() -> Resource:
    """A machine without a GPU: 4 cores, 16 GiB."""
    return Resource(cpu=4, gpu=0, memMB=16 * _GIB)


def lolhl_l4() -> Resource:
    """One NVIDIA L4 (24 GB) and a fair share of its host, as AWS g6.2xlarge or Google g2-standard-8."""
    return Resource(cpu=8, gpu=1, memMB=30 * _GIB)


def lolhl_a100() -> Resource:
    """One A100 and an eighth of its host."""
    return Resource(cpu=12, gpu=1, memMB=120 * _GIB)


def lolhl_h100() -> Resource:
    """One H100 and an eighth of its host."""
    return Resource(cpu=24, gpu=1, memMB=220 * _GIB)


def lolhl_h200() -> Resource:
    """One H200 and an eighth of its host."""
    return Resource(cpu=24, gpu=1, memMB=220 * _GIB)
