"""What lies in a root is safe from what comes after it: new names, a registry that fails, other bytes in a shard."""

import json
from collections.abc import Callable, Mapping

from tests.torture.families.manifests import damage
from tests.torture.sandbox import Sandbox, difference

CALLS = {
    "vods": "download a.mp4 --name {}",
    "datasets": "dataset {} a",
    "models": "train {} --dataset d --epochs 1",
}
ENDINGS = (".json", ".tsv", ".parquet", ".tar", ".safetensors", ".ckpt")


def refused(kind: str, *names: str) -> Callable[[Sandbox], None]:
    """Names that a new thing may not have."""

    def case(sandbox: Sandbox) -> None:
        sandbox.take()
        sandbox.take_inputs("a.mp4")
        before = sandbox.contents()
        for name in names:
            sandbox.refuse(*(word.replace("{}", name) for word in CALLS[kind].split()), codes=(2,))
        changed = difference(before, sandbox.contents())
        sandbox.expect(not changed, f"refused, and changed {changed}")

    return case


def publication_fails(sandbox: Sandbox) -> None:
    """MLflow's artifacts cannot be written: the model is there all the same, and the same call publishes it."""
    train = ("train", "n", "--dataset", "d", "--epochs", "1")
    sandbox.take("vods", "labels", "frames", "datasets/d")
    artifacts = sandbox.root / "mlflow/artifacts"
    artifacts.write_text("a file in the way")
    done = sandbox.run(*train, codes=(1,))
    sandbox.expect("not published" in done.error, f"{done.call}: does not say that the model is not published")
    model = sandbox.root / "models/n/model.json"
    sandbox.expect(model.exists(), f"{done.call}: a publication that failed costs the model")
    artifacts.unlink()
    trained = model.read_bytes() if model.exists() else b""
    sandbox.succeed(*train)
    sandbox.expect([*artifacts.rglob("model.json")], f"{done.call}, made again, does not publish the model")
    sandbox.expect(model.exists() and model.read_bytes() == trained, f"{done.call}, made again, trains again")


def other_picture(sandbox: Sandbox) -> None:
    """A sound picture of the right size in place of another one, in a shard."""
    frames = sandbox.finished / "root/frames/a"
    shard = min(frames.rglob("shard-000000*.tar"))

    def change(data: bytes) -> bytes:
        """The second picture in the place of the first, where it fits."""
        places = [at for at in range(0, len(data), 512) if data[at + 512 : at + 514] == b"\xff\xd8"]
        sizes = [int(data[at + 124 : at + 135], 8) for at in places]
        first = max(range(len(sizes)), key=sizes.__getitem__)
        second = min(range(len(sizes)), key=sizes.__getitem__)
        begin, picture = places[first] + 512, data[places[second] + 512 :][: sizes[second]]
        return bytes(data[:begin] + picture.ljust(sizes[first], b"\0") + data[begin + sizes[first] :])

    key = shard.relative_to(sandbox.finished / "root").as_posix()
    damage(sandbox, key, change, "infer t a --force")
    described = json.loads(min((sandbox.root / "frames/a").rglob("frameset.json")).read_text())
    now = sandbox.contents(below="frames/a")
    lost = [output["key"] for output in described["outputs"] if output["sha256"] not in now.values()]
    sandbox.expect(not lost, f"other bytes in {', '.join(lost)}, and nobody says so")


NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    "champion": refused("models", "champion", "Champion", "CHAMPION", "champion.json", "Champion.JSON"),
    "twin-model": refused("models", "M"),
    "twin-dataset": refused("datasets", "D"),
    "twin-vod": refused("vods", "A", "B"),
    "endings": refused("datasets", *(f"x{ending}" for ending in ENDINGS), "x.JSON"),
    "devices": refused("vods", "con", "NUL.mp4", "com1", "x."),
    "publication-fails": publication_fails,
    "other-picture": other_picture,
}


# Others


def draw(sandbox: Sandbox) -> None:
    """A new thing with an odd name: refused, or made without harm to what is there."""
    rng = sandbox.rng
    sandbox.take()
    sandbox.take_inputs("a.mp4")
    before = sandbox.contents()
    kind = rng.choice([*CALLS])
    stems = ("champion", "m", "t", "d", "a", "b", "retrain", "unfinished", "model", "vod", "x", "source", "con", "..")
    name = "".join(rng.choice((rng.choice(stems), rng.choice("./_-~ "))) for _ in range(rng.randrange(1, 4)))
    name = rng.choice((name, name.upper(), name.title())) + rng.choice(("", "", *ENDINGS))
    done = sandbox.run(*(word.replace("{}", name) for word in CALLS[kind].split()))
    after = sandbox.contents()
    if done.failed:
        changed = difference(before, after)
        sandbox.expect(not changed, f"{done.call}: failed and changed {changed}")
    own = f"{kind}/{name}/"
    if any(key.startswith(own) for key in before):  # what is there, made anew with other settings
        return
    changed = difference(before, {key: value for key, value in after.items() if not key.startswith(own)})
    sandbox.expect(not changed, f"{done.call}: changed {changed}")
