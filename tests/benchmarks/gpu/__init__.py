"""Benchmarks that need an NVIDIA card; `python -m tests.benchmarks.gpu` runs them all."""
