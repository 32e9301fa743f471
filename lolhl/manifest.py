"""Manifests: the JSON that a stage writes last. Without it, the stage's output does not exist.

A manifest records the digest of what the stage read and how it was called. It holds no clock time
and no machine's name, so that the same work gives the same bytes.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import lolhl
from lolhl.config import Config
from lolhl.errors import Conflict, MissingInput, NotFound, StorageError
from lolhl.storage import Root, each

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Output:
    """One object that the stage wrote: key, size in bytes, sha256 in hex."""

    key: str
    size: int
    sha256: str

    @classmethod
    def of(cls, key: str, data: bytes) -> "Output":
        return cls(key, len(data), hashlib.sha256(data).hexdigest())

    @classmethod
    def upload(cls, root: Root, path: Path, key: str) -> "Output":
        """Puts the file under the key; it may be moved away."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        output = cls(key, path.stat().st_size, digest)
        root.upload(path, key)
        return output


@dataclass(frozen=True)
class Manifest:
    """What a finished stage says of itself.

    Attributes:
        stage: its name.
        digest: of the stage, its settings and its inputs; the same digest means the same work.
        config: the settings that decide the result.
        inputs: key of each object that was read → its digest.
        outputs: what was written, in order of keys.
        result: what the stage found out (counts, durations, figures): JSON values.
        version: of lolhl, when this was written.
    """

    stage: str
    digest: str
    config: dict[str, Any]
    inputs: dict[str, str]
    outputs: list[Output] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    version: str = lolhl.__version__

    def to_bytes(self) -> bytes:
        return (json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> "Manifest":
        """Raises StorageError when the bytes are no manifest."""
        try:
            raw = json.loads(data)
            outputs = [Output(**output) for output in raw.pop("outputs")]
            result = _Result(raw.pop("result"), name)
            config, inputs = dict(raw.pop("config")), dict(raw.pop("inputs"))
            made = cls(**raw, config=config, inputs=inputs, outputs=outputs, result=result)
            _check(made)
            return made
        except (ArithmeticError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _no_manifest(name, error) from error

    def read(self, root: Root, key: str, redo: str) -> bytes:
        """The bytes of an output, as the stage wrote them.

        Args:
            redo: the command that makes it anew, for the error's message.

        Raises:
            StorageError: they are gone, or others.
        """
        try:
            data = root.read(key)
        except NotFound as error:
            raise NotFound(f"{root.url}/{key} is gone: run `{redo}`") from error
        if Output.of(key, data) not in self.outputs:
            raise StorageError(f"{root.url}/{key} is damaged: run `{redo}`")
        return data

    def local(self, root: Root, key: str, redo: str) -> Path:
        """A file of an output's bytes, as `Root.local`. Of its bytes the number is checked alone, which costs nothing.

        Raises:
            StorageError: it is gone, or has another size.
        """
        try:
            path = root.local(key)
        except NotFound as error:
            raise NotFound(f"{root.url}/{key} is gone: run `{redo}`") from error
        size = path.stat().st_size
        if size not in [output.size for output in self.outputs if output.key == key]:
            raise StorageError(f"{root.url}/{key} was changed since it was stored ({size} bytes now): run `{redo}`")
        return path

    def content_digest(self) -> str:
        """Of all that the manifest says: what the next stage records as its input."""
        said = {**asdict(self), "version": None}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


# What the words of a result hold, in whichever stage's manifest they stand.
_TEXT = ("vod", "source", "video", "fit", "model", "holdout")
_NUMBERS = ("size", "frames", "width", "height", "duration", "offset", "threshold", "smooth_seconds", "guard_seconds")
_LISTS = ("chapters", "muted", "vods", "highlights", "judge", "learn")
_OBJECTS = ("architecture", "normalisation", "view", "metrics", "natural", "train", "validation", "labels")
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_TEXT, (str,)),
    **dict.fromkeys(_NUMBERS, (int, float)),
    **dict.fromkeys(_LISTS, (list,)),
    **dict.fromkeys(_OBJECTS, (dict,)),
    "title": (str, type(None)),
    "twitch_id": (str, type(None)),
}


def _check(made: Manifest) -> None:
    """Raises TypeError, or what Fraction raises, where a value is of a kind that no stage writes."""
    texts = [made.stage, made.digest, made.version, *made.inputs.values()]
    texts += [text for output in made.outputs for text in (output.key, output.sha256)]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text is none")
    if not all(isinstance(output.size, int) for output in made.outputs):
        raise TypeError("a size is no number")
    for name, value in made.result.items():
        if name in _KINDS and not isinstance(value, _KINDS[name]):
            raise TypeError(f"its {name} is {type(value).__name__}")
    Fraction(made.result.get("fps", "1"))


class _Result(dict[str, Any]):
    """A result read from a file: what it lacks is the file's fault."""

    def __init__(self, found: Any, name: str = "") -> None:
        super().__init__(found)
        self.name = name

    def __missing__(self, key: str) -> Any:
        raise _no_manifest(self.name, f"it has no {key}")


def _no_manifest(name: str, why: object) -> StorageError:
    return StorageError(f"{name} is no manifest of lolhl ({why}): remove it and run its stage again")


@dataclass(frozen=True)
class Plan:
    """What a stage is about to do: enough to know whether it has been done before."""

    root: Root
    key: str
    stage: str
    config: dict[str, Any]
    inputs: dict[str, str]
    etag: str | None
    digest: str

    @contextmanager
    def begin(self) -> Iterator["Plan"]:
        """Takes an earlier run's manifest away; use it before the first output is overwritten.

        From here to `finish` the stage's output does not exist, whatever happens in between. Other runs that want
        to write the same wait until the block is left, and then do their work in place of this one's.
        """
        with self.root.lock(self.key):
            self.root.delete(self.key)
            yield replace(self, etag=None)

    def manifest(self, result: Mapping[str, Any], outputs: list[Output]) -> Manifest:
        """What `finish` is going to write."""
        ordered = sorted(outputs, key=lambda o: o.key)
        return Manifest(self.stage, self.digest, self.config, self.inputs, ordered, dict(result))

    def finish(self, result: Mapping[str, Any], outputs: list[Output]) -> Manifest:
        """Writes the manifest: from now on the stage's output exists.

        Raises:
            Conflict: another run finished this stage in the meantime, with another result. Where both wrote the
                same keys, its output does not exist any more either: nobody knows whose bytes lie there.
        """
        made = self.manifest(result, outputs)
        try:
            self.root.write_if(self.key, made.to_bytes(), self.etag)
        except Conflict:
            other = find(self.root, self.key)
            written = {output.key: output for output in outputs}
            if other and any(written.get(output.key, output) != output for output in other.outputs):
                self.root.delete(self.key)
            raise
        return made


def plan(
    root: Root, key: str, stage: str, config: Config, inputs: Mapping[str, str], *, force: bool = False
) -> tuple[Plan, Manifest | None]:
    """The work to do, and the manifest of an earlier run if that did the same work already.

    Args:
        key: where the manifest will lie.
        inputs: key of each object that the stage reads → digest.
        force: True to redo the work all the same; then no manifest comes back.
    """
    found = root.find(key)
    recorded = config.recorded()
    digest = _digest({"stage": stage, "config": recorded, "inputs": dict(inputs)})
    todo = Plan(root, key, stage, recorded, dict(inputs), found[1] if found else None, digest)
    if found and not force:
        earlier = Manifest.from_bytes(found[0], f"{root.url}/{key}")
        if earlier.digest == digest:
            log.info("%s: done already (%s)", stage, key)
            return todo, earlier
    return todo, None


def load(root: Root, key: str, made_by: str, *, fresh: bool = False) -> Manifest:
    """The manifest under this key.

    Args:
        made_by: the command that makes it, for the error's message.
        fresh: True to refuse what was made from something that has been made anew since.

    Raises:
        MissingInput: there is none, or it is out of date.
    """
    made = find(root, key)
    if made is None:
        raise MissingInput(f"{root.url}/{key} does not exist: run `{made_by}` first")
    if fresh:
        _check_fresh(root, key, made, made_by)
    return made


def find(root: Root, key: str) -> Manifest | None:
    """The manifest under this key, or None when there is none. Raises StorageError when it is damaged."""
    found = root.find(key)
    return Manifest.from_bytes(found[0], f"{root.url}/{key}") if found else None


def _check_fresh(root: Root, key: str, made: Manifest, made_by: str) -> None:
    # What has gone since cannot have changed; what is no manifest is up to the stage.
    sources = [source for source in made.inputs if source.endswith(".json")]
    for source, now in zip(sources, each(lambda source: find(root, source), sources), strict=True):
        if now is None:
            continue
        _check_fresh(root, source, now, made_by)
        if now.content_digest() != made.inputs[source]:
            raise MissingInput(f"{root.url}/{key} is older than {source}: run `{made_by}` again")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
