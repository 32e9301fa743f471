"""Manifests: the JSON that a stage writes last. Without it, the stage's output does not exist.

A manifest records the digest of what the stage read and how it was called. It holds no clock time
and no machine's name, so that the same work gives the same bytes. It also holds the digest of its own
content, so that a value that was changed later is seen wherever the manifest is read.
"""

import hashlib
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

import msgspec

import lolhl
from lolhl import layout
from lolhl.config import Config
from lolhl.errors import Conflict, Damaged, MissingInput, NotFound
from lolhl.results import Result
from lolhl.storage import MANY, Root, delete_all, each

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Result)
T = TypeVar("T")

_RATE = re.compile(r"\d{1,15}(/[1-9]\d{0,14})?", re.ASCII)  # a video may claim any fraction of two 32-bit numbers


@dataclass(frozen=True)
class Output:
    """One object that the stage wrote: key, size in bytes, sha256 in hex."""

    key: str
    size: int
    sha256: str

    @classmethod
    def from_bytes(cls, key: str, data: bytes) -> "Output":
        """Describes the object that holds this data. Nothing is written."""
        return cls(key, len(data), hashlib.sha256(data).hexdigest())

    @classmethod
    def with_digest(cls, key: str, data: bytes) -> "Output":
        """As `from_bytes`, under the key with the data's digest in the file's name, see `layout.with_digest`."""
        output = cls.from_bytes(key, data)
        return replace(output, key=layout.with_digest(key, output.sha256))

    @classmethod
    def upload(cls, root: Root, path: Path, key: str) -> "Output":
        """Stores the file under the key. The file may be moved away."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        output = cls(key, path.stat().st_size, digest)
        root.upload(path, key)
        return output


@dataclass(frozen=True)
class Manifest(Generic[R]):
    """The record of a finished stage.

    Attributes:
        stage: its name.
        digest: the digest of the stage, its inputs and those of its settings that `Config.deciding` names. The same
            digest means the same work.
        config: the settings that decide the result, as JSON values.
        inputs: key of each object that was read → its digest.
        result: what the stage made (counts, durations, figures).
        outputs: what was written, in order of keys.
        version: the version of lolhl that wrote this.
        stored: the file's bytes, where the manifest was read from one.
    """

    stage: str
    digest: str
    config: dict[str, Any]
    inputs: dict[str, str]
    result: R
    outputs: list[Output] = field(default_factory=list)
    version: str = lolhl.__version__
    stored: bytes | None = field(default=None, repr=False, compare=False)

    def to_bytes(self) -> bytes:
        """The bytes of the file, as they were read. So fields that were added since do not change the digest."""
        if self.stored is not None:
            return self.stored
        values = {name: _plain(getattr(self, name)) for name in _FIELDS}
        return _file_bytes({**values, _SEAL: _content_digest(_file_bytes(values))})

    @classmethod
    def from_bytes(cls, data: bytes, kind: type[R], name: str, remake: str) -> "Manifest[R]":
        """Reads a manifest whose result is of this kind.

        Args:
            data: the bytes of the file.
            kind: the type of its result.
            name: the name of the file, for the message of an error.
            remake: the command that makes it anew, for the message of an error.

        Raises:
            Damaged: the bytes are no manifest, or were changed since they were written. The message names the field
                that is wrong, as far as that is known.
        """
        try:
            head = _decoder(_Head).decode(data)
            if head.stage != kind.stage:
                raise ValueError(f"it is of the stage {head.stage!r} and not of {kind.stage!r}")
            raw = _decoder(_File[kind]).decode(kind.current(data))  # type: ignore[valid-type]
            _intact_digest(data, name, remake)
            return cls(**vars(raw), stored=data)
        except (ValueError, RecursionError) as error:
            raise _no_manifest(name, error, remake) from error

    def key_of(self, key: str) -> str:
        """The key of the output that was stored under this key with its digest, or without one, as by lolhl 0.1.

        It is the key itself where there is no such output.
        """
        return next((output.key for output in self.outputs if layout.without_digest(output.key) == key), key)

    def read(self, root: Root, key: str, redo: str) -> bytes:
        """Reads the bytes of an output, as the stage wrote them.

        Args:
            root: where the output lies.
            key: its key, with or without its digest.
            redo: the command that makes it anew, for the message of an error.

        Raises:
            NotFound: the output is gone.
            Damaged: its bytes were changed.
        """
        key = self.key_of(key)
        try:
            data = root.read(key)
        except NotFound as error:
            raise NotFound(f"{root.url}/{key} is gone: run `{redo}`") from error
        if Output.from_bytes(key, data) not in self.outputs:
            raise Damaged(f"{root.url}/{key} is damaged: run `{redo}`")
        return data

    def local(self, root: Root, key: str, redo: str) -> Path:
        """A file with an output's bytes, see `Root.local`. Only their number is checked, which costs nothing.

        Raises:
            NotFound: the output is gone.
            Damaged: it has another size.
        """
        try:
            path = root.local(key)
        except NotFound as error:
            raise NotFound(f"{root.url}/{key} is gone: run `{redo}`") from error
        size = path.stat().st_size
        if size not in [output.size for output in self.outputs if output.key == key]:
            raise Damaged(f"{root.url}/{key} was changed since it was stored ({size} bytes now): run `{redo}`")
        return path

    def content_digest(self) -> str:
        """The digest of the whole manifest. The next stage records it with its inputs."""
        return _content_digest(self.to_bytes())

    def result_values(self) -> dict[str, Any]:
        """The result as JSON values."""
        return dict(_plain(self.result))


@dataclass(frozen=True)
class _Head:
    """The fields that say which stage wrote a manifest, and what it read."""

    stage: str
    inputs: dict[str, str]


@dataclass(frozen=True)
class _File(Generic[R]):
    """The JSON of a manifest, see `Manifest`."""

    stage: str
    digest: str
    config: dict[str, Any]
    inputs: dict[str, str]
    result: R
    outputs: list[Output]
    version: str


@dataclass(frozen=True)
class _Outputs:
    """The field that says what a stage wrote."""

    outputs: list[Output]


_FIRST_USE = threading.Lock()
_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {}
_FIELDS = tuple(field.name for field in fields(_File))


_SEAL = "content_digest"  # what the file says of its own content; manifests of lolhl 0.1 do not


def _file_bytes(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _content_digest(data: bytes) -> str:
    return _digests(data)[0]


def _digests(data: bytes) -> tuple[str, object]:
    """The digest of the content, and the one that the file records."""
    values = json.loads(data)
    recorded = values.pop(_SEAL, None)
    digest = _digest({**values, "version": None})
    return digest, digest if recorded is None else recorded


def _intact_digest(data: bytes, name: str, remake: str) -> str:
    """The digest of the content. Raises Damaged where the file records another one, since a value was changed."""
    digest, recorded = _digests(data)
    if recorded != digest:
        raise Damaged(f"{name} was changed since it was written: run `{remake}`")
    return digest


def _variants(root: Root, file: str) -> list[str]:
    """The keys that there are of a file, with whichever digest in its name, or with none."""
    stem = file.removesuffix(PurePosixPath(file).suffix)
    return [stat.key for stat in root.list(stem) if layout.without_digest(stat.key) == file]


def _output_keys(data: bytes, key: str) -> list[str]:
    """The files in its own folder that the manifest under this key names; none where it is damaged."""
    with suppress(ValueError, RecursionError):
        folder = key.rpartition("/")[0] + "/"
        keys = [output.key for output in _decoder(_Outputs).decode(data).outputs]
        return [key for key in keys if key.startswith(folder) and not key.endswith(".json")]
    return []


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=str)  # fractions


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """What reads JSON of this type. Threads may call it at the same time.

    msgspec looks at a type when it is first used, and does that in Python. Where two threads begin with the same type
    at once, it ends the process (SIGSEGV, msgspec 0.22).
    """
    with _FIRST_USE:
        if kind not in _DECODERS:
            _DECODERS[kind] = msgspec.json.Decoder(kind, dec_hook=_decoded)
        return _DECODERS[kind]


def _decoded(kind: type, value: Any) -> Any:
    """Decodes values of types that JSON does not have. The result checks which frame rates make sense."""
    if kind is not Fraction or not isinstance(value, str) or not _RATE.fullmatch(value):
        raise ValueError(f'Expected a frame rate in quotes as "3" or "30000/1001", got {value!r}'[:100])
    return Fraction(value)


def _no_manifest(name: str, why: object, remake: str) -> Damaged:
    return Damaged(f"{name} is no manifest of lolhl ({why}): run `{remake}`")


@dataclass(frozen=True)
class Plan(Generic[R]):
    """The work that a stage is about to do. It says whether the work has been done before."""

    root: Root
    key: str
    kind: type[R]
    config: dict[str, Any]
    inputs: dict[str, str]
    etag: str | None
    digest: str

    def store(self, result: R, files: Mapping[str, bytes]) -> Manifest[R]:
        """Stores files, and then the manifest in place of an earlier one, in one step. Writes nothing over anything.

        Each file's name gets the digest of its bytes. So, whatever other runs do, and wherever this one is killed,
        a manifest stands whose files are there, the earlier one or this one. What another run has finished since the
        work was planned is replaced; in a folder other runs wait meanwhile.

        Files of the earlier manifest stay until this one is replaced in turn, since somebody may have read that
        manifest a moment ago. Older ones, and those of runs that were killed or lost, are removed.

        Args:
            result: what the stage made.
            files: key without a digest → bytes.

        Raises:
            Conflict: another run finished this stage at the same moment, with another result, which stands.
        """
        outputs = {Output.with_digest(key, data): data for key, data in files.items()}
        with self.root.lock(self.key):
            standing = self.root.find(self.key)
            # Listed before the manifest is written: what comes later is of a run that sees it, or that loses by it.
            stored = [key for file in files for key in _variants(self.root, file)]
            for output, data in outputs.items():
                self.root.write(output.key, data)
            manifest = replace(self, etag=standing[1] if standing else None).finish(result, list(outputs))
            if standing and standing[0] == manifest.to_bytes():  # nothing changed: no other run has lost by it
                return manifest
            earlier = _output_keys(standing[0], self.key) if standing else []
            kept = {output.key for output in outputs}
            kept |= {key for key in earlier if layout.without_digest(key) in files}
            delete_all(self.root, {*stored, *earlier} - kept)
        return manifest

    @contextmanager
    def begin(self) -> Iterator["Plan[R]"]:
        """Removes an earlier run's manifest. Enter this context before the first output is overwritten.

        For outputs that people open by their names; for others there is `store`. From here to `finish` the stage's
        output does not exist, whatever happens in between. Other runs that want to write the same output wait until
        the context is left, and then replace this run's work.
        """
        with self.root.lock(self.key):
            self.root.delete(self.key)
            yield replace(self, etag=None)

    def manifest(self, result: R, outputs: list[Output]) -> Manifest[R]:
        """The manifest that `finish` writes."""
        ordered = sorted(outputs, key=lambda output: output.key)
        return Manifest(self.kind.stage, self.digest, self.config, self.inputs, result, ordered)

    def finish(self, result: R, outputs: list[Output]) -> Manifest[R]:
        """Writes the manifest. From now on the stage's output exists.

        Raises:
            Conflict: another run finished this stage in the meantime, with another result. Where both wrote the
                same keys, that run's manifest is removed too, since its bytes may have been overwritten.
        """
        manifest = self.manifest(result, outputs)
        try:
            self.root.write_if(self.key, manifest.to_bytes(), self.etag)
        except Conflict:
            other = find(self.root, self.key, self.kind)
            if other and other.to_bytes() == manifest.to_bytes():  # it did the same work
                return manifest
            written = {output.key: output for output in outputs}
            if other and any(written.get(output.key, output) != output for output in other.outputs):
                self.root.delete(self.key)
            raise
        return manifest


def plan(
    root: Root,
    key: str,
    kind: type[R],
    config: Config,
    inputs: Mapping[str, str],
    *,
    force: bool = False,
    opened: bool = False,
) -> tuple[Plan[R], Manifest[R] | None]:
    """Plans the work. Returns the plan, and the manifest of an earlier run if that did the same work already.

    Args:
        root: where the data lies.
        key: where the manifest will lie.
        kind: the type of its result, which names the stage.
        config: the settings of the stage.
        inputs: key of each object that the stage reads → digest.
        force: True to redo the work all the same. No manifest is returned then.
        opened: True for files that people open by their names, and may have moved away or changed. No manifest is
            returned where one is gone. Of those that have another size there is a warning.
    """
    stored = root.find(key)
    recorded = config.recorded()
    deciding = config.deciding(recorded)
    digest = _digest({"stage": kind.stage, "config": deciding, "inputs": dict(inputs)})
    todo = Plan(root, key, kind, recorded, dict(inputs), stored[1] if stored else None, digest)
    if stored and not force:
        earlier = Manifest.from_bytes(stored[0], kind, f"{root.url}/{key}", layout.remake(key))
        # Not by its digest: lolhl 0.1 made that of all settings, also of those that change nothing.
        is_same = earlier.inputs == inputs and config.deciding(earlier.config) == deciding
        if is_same and (not opened or _has_files(root, key, earlier)):
            log.info("%s: done already (%s)", kind.stage, key)
            return todo, earlier
    return todo, None


def _has_files(root: Root, key: str, manifest: Manifest[R]) -> bool:
    """Whether all files that the manifest names are there, in its own folder. Warns of those with another size."""
    sizes = {stat.key: stat.size for stat in root.list(f"{PurePosixPath(key).parent}/")}
    for output in manifest.outputs:
        if sizes.get(output.key, output.size) != output.size:
            redo = layout.remake(output.key)
            log.warning("%s/%s was changed since it was made: `%s` makes it anew", root.url, output.key, redo)
    return all(output.key in sizes for output in manifest.outputs)


def load(root: Root, key: str, kind: type[R], made_by: str = "", *, fresh: bool = False) -> Manifest[R]:
    """Loads the manifest under this key.

    Args:
        root: where the data lies.
        key: its key.
        kind: the type of its result.
        made_by: the command that makes it, for the message of an error (default: `layout.command`).
        fresh: True to refuse a manifest whose inputs have been made anew since.

    Raises:
        MissingInput: there is no manifest, or it is out of date.
        Damaged: it is damaged.
    """
    manifest, made_by = find(root, key, kind), made_by or layout.command(key)
    if manifest is None:
        raise MissingInput(f"{root.url}/{key} does not exist: run `{made_by}` first")
    if fresh:
        _check_fresh(root, key, manifest.inputs, made_by)
    return manifest


def find(root: Root, key: str, kind: type[R]) -> Manifest[R] | None:
    """The manifest under this key, or None when there is none. Raises Damaged when it is damaged."""
    stored = root.find(key)
    return Manifest.from_bytes(stored[0], kind, f"{root.url}/{key}", layout.remake(key)) if stored else None


def intact(root: Root, key: str, kind: type[R]) -> Manifest[R] | None:
    """Like `find`, but a damaged manifest counts as none and gives a warning. For one that is made anew in any case."""
    try:
        return find(root, key, kind)
    except Damaged as error:
        log.warning("%s", error)
        return None


def _check_fresh(root: Root, key: str, inputs: Mapping[str, str], made_by: str) -> None:
    # What has gone since cannot have changed; what is no manifest is up to the stage.
    sources = [source for source in inputs if source.endswith(".json")]
    stored = each(root.find, sources, ahead=MANY) if len(sources) > 1 else map(root.find, sources)  # without threads
    for source, now in zip(sources, stored, strict=True):
        if now is None:
            continue
        name = f"{root.url}/{source}"
        try:
            _check_fresh(root, source, _decoder(_Head).decode(now[0]).inputs, made_by)
            digest = _intact_digest(now[0], name, layout.remake(source))
        except (ValueError, TypeError, RecursionError) as error:
            raise _no_manifest(name, error, layout.remake(source)) from error
        if digest != inputs[source]:
            raise MissingInput(f"{root.url}/{key} is older than {source}: run `{made_by}` again")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
