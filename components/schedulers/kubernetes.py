"""TorchX's Kubernetes scheduler."""

from torchx.schedulers.kubernetes_scheduler import create_scheduler

__all__ = ["create_scheduler"]
