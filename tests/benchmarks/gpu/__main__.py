"""All benchmarks that need a card, one after the other, each in a process of its own.

    python -m tests.benchmarks.gpu.inputs               # once, where games can be rendered; no GPU needed
    python -m tests.benchmarks.gpu [decode|infer|train] # on a machine with a card; all three unless one is named

What must be there: Linux with an NVIDIA driver that has its video part (libnvcuvid; in a container
NVIDIA_DRIVER_CAPABILITIES=compute,video,utility), PyTorch for CUDA, `pip install -e .`, ffmpeg on PATH or
the package imageio-ffmpeg, and the folder lolhl-data/bench/gpu. PyNvVideoCodec and torchcodec (for the
same CUDA as PyTorch) are compared where they are installed. No network is used. Some 6 + 5 + 5 minutes.
"""

import subprocess
import sys

from tests.benchmarks.gpu import card

NAMES = ("decode", "infer", "train")


def main() -> int:
    names = sys.argv[1:] or NAMES
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"error: no GPU benchmark {unknown[0]!r}: there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    card.require()
    return max(
        subprocess.run([sys.executable, "-m", f"{__package__}.{name}"], check=False).returncode for name in names
    )


if __name__ == "__main__":
    sys.exit(main())
