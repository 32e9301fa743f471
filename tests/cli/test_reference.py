"""The reference of the command line is the one that the code gives."""

from pathlib import Path

import lolhl
from lolhl.reference import reference
from lolhl.stages.table import STAGES

COMMANDS = Path(lolhl.__file__).parent / "COMMANDS.md"


def test_the_reference_is_up_to_date() -> None:
    assert COMMANDS.read_text() == reference() + "\n", "run `python -m lolhl.reference > lolhl/COMMANDS.md`"


def test_the_reference_names_each_verb_and_its_settings() -> None:
    text = reference()
    assert all(f"\n## {name}\n" in text for name in STAGES)
    assert "| `--clip-frames` | 1 to 10000 | 5 |" in text
    assert "| `--mode` | auto, scan, refine or grid | auto |" in text
