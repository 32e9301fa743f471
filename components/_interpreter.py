"""The Python that runs this, for jobs on this machine."""

import os
import sys
from pathlib import Path


def put_on_path() -> None:
    """local_cwd looks for `python` and `torchrun` on PATH: it shall find those beside the Python that runs this."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
