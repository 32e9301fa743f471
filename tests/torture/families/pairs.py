"""Two runs at once on one root, and kills at any moment: what is done in the end is what an undisturbed run gives."""

import json
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from tests.torture.call import Done
from tests.torture.sandbox import Sandbox, difference, killed
from tests.torture.world import INPUTS, STAGES

KILLS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LONG = 240.0  # seconds of a call beside another one
# What is made anew in a case, and by which call; the rest of the finished root is there.
WORKS: dict[str, tuple[str, ...]] = {
    name: STAGES[name]
    for name in ("vods/a", "labels/a", "frames/a", "datasets/d", "models/t", "models/m", "highlights/a/scores",
                 "highlights/a", "retrain")
}  # fmt: skip


def _begin(sandbox: Sandbox, work: str) -> dict[str, str]:
    """The finished root without what this work makes. Returns what is to be there in the end."""
    sandbox.take()
    sandbox.take_inputs(*INPUTS)
    whole = sandbox.contents()
    for path in [*sandbox.root.rglob("*")]:
        key = path.relative_to(sandbox.root).as_posix()
        scores = "scores" in key
        if path.is_file() and key.startswith(work) and not (work == "highlights/a" and scores):
            path.unlink()
    if work == "retrain":
        for folder in ("models", "datasets"):
            for left in (sandbox.root / folder).glob("retrain-*"):
                shutil.rmtree(left)
        (sandbox.root / "models/champion.json").unlink(missing_ok=True)
    return whole


def _as_undisturbed(sandbox: Sandbox, whole: Mapping[str, str], what: str) -> None:
    after = {key: value for key, value in sandbox.contents().items() if key in whole}
    sandbox.expect(after == whole, f"{what}: not as undisturbed: {difference(whole, after)}")


def kills(sandbox: Sandbox, work: str, count: int) -> None:
    """Ends a call at a chance moment, some times, and lets it finish."""
    rng = sandbox.rng
    whole = _begin(sandbox, work)
    for _ in range(count):
        running = sandbox.start(*WORKS[work])
        if not running.ends_within(rng.choice((0.05, 0.3, 1.0, 3.0)) * rng.random()):
            number = rng.choice(KILLS)
            running.signal(number)
            if number != signal.SIGKILL and rng.random() < 0.3:
                running.ends_within(0.05)
                running.signal(number)
        done = sandbox.wait(running, codes=killed(KILLS), limit=LONG, check=False)
        sandbox.expect(not done.late, f"{done.call}: not over {done.seconds:.0f} s after a signal")
        sandbox.expect(done.code in killed(KILLS), f"{done.call}: exit code {done.code} after a signal: {done.error}")
        sandbox.expect("Traceback" not in done.err, f"{done.call}: traceback after a signal: {done.error}")
    for left in sandbox.tmp.iterdir():  # of those that were killed
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    sandbox.succeed(*WORKS[work], limit=LONG)
    _as_undisturbed(sandbox, whole, f"{work}, ended {count} times")


def together(sandbox: Sandbox, first: Sequence[str], second: Sequence[str], delay: float) -> tuple[Done, Done]:
    """Two calls at once; each succeeds, or loses in one line."""
    one = sandbox.start(*first)
    time.sleep(delay)
    two = sandbox.start(*second)
    done = sandbox.wait(one, limit=LONG, check=False), sandbox.wait(two, limit=LONG, check=False)
    for each in done:
        sandbox.expect(not each.late, f"{each.call}: not over after {each.seconds:.0f} s beside another run")
        sandbox.expect(each.code in (0, 1), f"{each.call}: exit code {each.code}: {each.error}")
        sandbox.expect("Traceback" not in each.err, f"{each.call}: traceback beside another run: {each.error}")
    sandbox.expect(0 in {each.code for each in done}, f"{done[0].call} and {done[1].call}: both fail: {done[1].error}")
    return done


def readable(sandbox: Sandbox) -> None:
    """Each stage that says of itself that it is done has left what it says. MLflow's copies of manifests may be old."""
    now = sandbox.contents()
    for key in [key for key in now if key.endswith(".json")]:
        manifest = json.loads((sandbox.root / key).read_text())
        if isinstance(manifest, dict) and "outputs" in manifest:
            wrong = [output["key"] for output in manifest["outputs"] if now.get(output["key"]) != output["sha256"]]
            sandbox.expect(not wrong, f"{key} says that its stage is done, and {', '.join(wrong)} is not what it wrote")


def two_views(delay: float) -> Callable[[Sandbox], None]:
    """Two frame sets of one VOD at once."""

    def case(sandbox: Sandbox) -> None:
        small, large = ("--size", "64"), ("--size", "80", "--quality", "95")
        sandbox.take("vods/a", "models/t")
        together(sandbox, ("extract", "a", *small, "--force"), ("extract", "a", *large), delay)
        readable(sandbox)
        for options in (small, large, small):
            sandbox.succeed("extract", "a", *options)
            readable(sandbox)
        count = len([*sandbox.root.rglob("frameset.json")])
        sandbox.expect(count == 2, f"of two frame sets of a VOD there are {count}")
        sandbox.succeed("infer", "t", "a", "--source", "frames")

    return case


NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    f"two-views-{number}": two_views(delay) for number, delay in enumerate((0.1, 0.3, 0.5), start=1)
}


# Others


def draw(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    works = [*WORKS]
    shares = [1, 0.3, 3, 1, 1, 1, 2, 2, 0.3]
    work = rng.choices(works, shares)[0]
    if rng.random() < 0.4:
        kills(sandbox, work, rng.randrange(1, 4))
    elif rng.random() < 0.3:
        two_views(rng.uniform(0, 1))(sandbox)
    else:
        _pair(sandbox, work, rng.choices(works, shares)[0])


def _pair(sandbox: Sandbox, work: str, beside: str) -> None:
    """A work beside another or beside itself, perhaps with other settings; then alone."""
    rng = sandbox.rng
    other = {
        "frames/a": ("--quality", "50"), "datasets/d": ("--seed", "5"), "models/t": ("--seed", "5"),
        "models/m": ("--seed", "5"), "highlights/a/scores": ("--mode", "grid", "--source", "video"),
        "highlights/a": ("--threshold", "0.1"), "vods/a": ("--start", "10"),
    }  # fmt: skip
    whole = _begin(sandbox, work)
    second = (*WORKS[beside], *(other.get(beside, ()) if rng.random() < 0.4 else ()), *rng.choice(((), ("--force",))))
    first = sandbox.start(*WORKS[work])
    time.sleep(rng.uniform(0, 1))
    running = sandbox.start(*second)
    for each in (first, running):
        done = sandbox.wait(each, limit=LONG, check=False)
        sandbox.expect(not done.late, f"{done.call}: not over after {done.seconds:.0f} s beside another run")
        sandbox.expect(done.code in (0, 1, 2), f"{done.call}: exit code {done.code}: {done.error}")
        sandbox.expect("Traceback" not in done.err, f"{done.call}: traceback beside another run: {done.error}")
    readable(sandbox)
    for words in STAGES.values():
        sandbox.succeed(*words, limit=LONG)
    # What retraining compares itself with, and whom it finds champion, depends on what it met.
    kept = {key: value for key, value in whole.items() if "retrain" not in key and "champion" not in key}
    _as_undisturbed(sandbox, kept, f"{work} beside {' '.join(second)}")
