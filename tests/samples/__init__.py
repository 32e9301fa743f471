"""Sample streams of a real game, with the highlights that the game itself knows of: for `make demo` and tests."""

from tests.samples.video import render

__all__ = ["render"]
