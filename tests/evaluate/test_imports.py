import subprocess
import sys


def test_judging_imports_no_higher_room() -> None:
    script = (
        "import sys, lolhl.evaluate.compare; print(*sorted(name for name in sys.modules if name.startswith('lolhl.')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in done.stdout.split()}
    assert rooms <= {"config", "evaluate", "highlights", "labels", "grid", "errors", "_torchvision", "machine"}
