import subprocess
import sys


def test_judging_imports_no_higher_room() -> None:
    script = (
        "import sys, lolhl.evaluate.compare; print(*sorted(name for name in sys.modules if name.startswith('lolhl.')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in done.stdout.split()}
    assert rooms <= {"config", "evaluate", "highlights", "labels", "grid", "errors", "_torchvision", "machine"}


def test_scikit_learn_is_imported_where_figures_are_taken() -> None:
    """It takes a second, which `train` saves until its model is judged, and `retrain` where nothing is new."""
    code = (
        "import sys, lolhl.stages.train, lolhl.stages.retrain\n"
        "from lolhl.evaluate import metrics\n"
        "before = 'sklearn' in sys.modules\n"
        "metrics.average_precision([True, False], [0.5, 0.1])\n"
        "print(before, 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
