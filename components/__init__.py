"""TorchX components: one a stage, and `pipeline`, which chains them as jobs on any scheduler."""
