"""lolhl finds the highlights in League of Legends streams.

Data flows one way: video → frames → dataset → model → scores → highlights → report. The stages in
`lolhl.stages` are the pipeline; everything else is what they are made of.
"""

from lolhl import _torchvision

__version__ = "0.1.0"

_torchvision.install()
