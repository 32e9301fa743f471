"""A root in a bucket that speaks S3: Cloudflare R2 first of all.

The endpoint's whole URL comes from LOLHL_S3_ENDPOINT_URL (else AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL),
the keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or wherever else boto3 looks for them, the
region from AWS_REGION (else `auto`).

Requests: read, find, read_range, write, write_if, stat and delete make one each, list one per 1,000 objects,
upload one up to `_WHOLE` bytes and above it one per part and two, local one per `_FETCHED` bytes, the first of
which is all where the cache has the object. The first `stat` that finds nothing makes one more, to tell a
missing object from a missing bucket.
"""

import hashlib
import os
import re
import shutil
import threading
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from uuid import uuid4

import boto3.session
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError
from botocore.utils import is_valid_endpoint_url
from s3transfer.manager import TransferConfig, TransferManager

from lolhl import machine, text
from lolhl.errors import AccessDenied, Conflict, NotFound, StorageError, UsageError, explain
from lolhl.storage import MANY, Stat, check_key, check_prefix, each

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MIB = 1024 * 1024
_WHOLE = 64 * _MIB  # bytes: smaller files go up in one request, as frame shards do
_PART = 32 * _MIB  # bytes: R2 wants all parts but the last of one size
_TRANSFER = TransferConfig(multipart_threshold=_WHOLE, multipart_chunksize=_PART, max_request_concurrency=8)
_FETCHED = 16 * _MIB  # bytes: one connection alone is slow over a distance, so what is fetched comes in parts
_AT_ONCE = 8  # objects that are asked for ahead
_ATTEMPTS = 9  # of one request; with boto3's pauses that is some 6 s of a server that is away
_READS = 4  # of one body that breaks off in the middle
_CACHE_BYTES = 50_000_000_000  # that `local` keeps, or half of what the disk can give if that is less
_SPARED = 3600.0  # seconds since its last use in which a cached file is not removed

_BROKEN = (HTTPClientError, IncompleteReadError)  # what a body that breaks off raises

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_ENDPOINTS = ("LOLHL_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


@dataclass(frozen=True)
class Bucket:
    """See `lolhl.storage.Root` for what each method promises; threads may share one, and so may forks.

    Attributes:
        name: of the bucket.
        prefix: what all keys begin with, without slashes at its ends; may be empty.
        endpoint: the URL that the bucket's name is appended to.
    """

    name: str
    prefix: str
    endpoint: str
    _clients: dict[int, "S3Client"] = field(default_factory=dict, repr=False, compare=False)
    _making: dict[int, "threading.Lock"] = field(default_factory=dict, repr=False, compare=False)
    _answers: dict[str, "Future[tuple[bytes, str]]"] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_url(cls, url: str) -> "Bucket":
        """The bucket that s3://bucket/prefix names, at the endpoint that the environment names.

        Raises:
            UsageError: the URL is malformed.
            StorageError: the environment names no endpoint.
        """
        name, _, prefix = url.removeprefix("s3://").partition("/")
        if "@" in name:
            raise UsageError(f"a root's URL holds no keys: give s3://bucket/prefix, and the keys in {_KEYS}")
        if not _NAME.fullmatch(name):
            raise UsageError(f"{url!r} is no root: give s3://bucket/prefix")
        prefix = prefix.strip("/")
        if prefix:
            check_key(prefix)
        return cls(name, prefix, _endpoint(name))

    def __reduce__(self) -> tuple[type["Bucket"], tuple[str, str, str]]:
        return Bucket, (self.name, self.prefix, self.endpoint)  # connections do not travel to other processes

    @property
    def url(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    @property
    def redacted_endpoint(self) -> str:
        """The endpoint for messages: its path may hold a secret."""
        return text.redacted(self.endpoint)

    def ahead(self, keys: Iterable[str]) -> "Bucket":
        threads = ThreadPoolExecutor(_AT_ONCE)
        answers = {key: threads.submit(self._get, key) for key in keys}
        threads.shutdown(wait=False)
        return replace(self, _answers=answers)

    def read(self, key: str) -> bytes:
        return self._answer(key)[0]

    def find(self, key: str) -> tuple[bytes, str] | None:
        try:
            return self._answer(key)
        except _NoSuchKey:
            return None

    def read_range(self, key: str, start: int, length: int) -> bytes:
        if length == 0:
            return b""
        try:
            return self._get(key, Range=f"bytes={start}-{start + length - 1}")[0]
        except _BehindTheEnd:
            return b""

    def write(self, key: str, data: bytes) -> None:
        at = self._at(key)
        self._answers.pop(key, None)
        with self._explained(key):
            _etag(self._s3.put_object(Bucket=self.name, Key=at, Body=data))

    def write_if(self, key: str, data: bytes, etag: str | None) -> None:
        at = self._at(key)
        self._answers.pop(key, None)
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": f'"{etag}"'}
        try:
            with self._explained(key):
                _etag(self._s3.put_object(Bucket=self.name, Key=at, Body=data, **condition))
        except (Conflict, _NoSuchKey) as error:
            # Our own earlier attempt may be what stands there now, if only its answer was lost.
            try:
                stored = self.read(key)
            except _NoSuchKey:
                stored = None
            if stored != data:
                raise Conflict(f"{self.url}/{key} was written by another run in the meantime: run again") from error

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:  # noqa: ARG002
        yield  # a bucket has none

    def upload(self, path: Path, key: str) -> None:
        at = self._at(key)
        if not path.is_file():
            raise NotFound(f"{path} does not exist")
        self._answers.pop(key, None)
        with self._explained(key):
            if path.stat().st_size <= _WHOLE:
                with path.open("rb") as file:
                    _etag(self._s3.put_object(Bucket=self.name, Key=at, Body=file))
                return
            try:
                self._send(path, at)
            except ClientError as error:
                if _code(error) != "NoSuchUpload":
                    raise
                # The parts were joined, but the answer to that was lost. To send them again does no harm.
                self._send(path, at)

    def stat(self, key: str) -> Stat | None:
        at = self._at(key)
        try:
            with self._explained(key):
                answer = self._s3.head_object(Bucket=self.name, Key=at)
                return Stat(key, _size(answer), _etag(answer))
        except StorageError as error:
            if isinstance(error.__cause__, ClientError):
                _ = self._exists  # or raises what is really wrong
            if isinstance(error, _NoSuchKey):
                return None
            raise

    def list(self, prefix: str = "") -> Iterator[Stat]:
        above = f"{self.prefix}/" if self.prefix else ""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=above + check_prefix(prefix)
        )
        with self._explained(prefix):
            stats = [_entry_stat(entry, above) for page in pages for entry in page.get("Contents", ())]
        # A key with a slash at its end is a folder that somebody made in a web page.
        # R2 keeps this order itself; SeaweedFS lists "a/1" before "a-1".
        yield from sorted((stat for stat in stats if not stat.key.endswith("/")), key=lambda stat: stat.key)

    def delete(self, key: str) -> None:
        at = self._at(key)
        self._answers.pop(key, None)
        with self._explained(key):
            self._s3.delete_object(Bucket=self.name, Key=at)

    def local(self, key: str) -> Path:
        cache = machine.cache("objects")
        identity = "\n".join((self.endpoint, self.name, self._at(key)))
        begin, end = hashlib.sha256(identity.encode()).hexdigest()[:40] + "-", Path(key).suffix[:16]
        try:
            cache.mkdir(parents=True, exist_ok=True)
            cached = _newest(cache, begin)
            etag = unquote(cached.name.removeprefix(begin).removesuffix(end)) if cached else None
            with self._explained(key):
                answer = self._begin(key, etag)
                if answer is None:
                    assert cached
                    return cached
                path = cache / f"{begin}{quote(_etag(answer), safe='')}{end}"
                size = _size(answer)
                _make_room(cache, size)
                if size > (free := shutil.disk_usage(cache).free):
                    raise StorageError(
                        f"{self.url}/{key} has {size / 1e9:.1f} GB, and the disk of {cache} has {free / 1e9:.1f} GB "
                        "free: make room, or set LOLHL_CACHE to another folder"
                    )
                self._fetch(self._at(key), answer, path)
        except OSError as error:
            raise StorageError(f"{explain(error, cache)}, or set LOLHL_CACHE to another folder") from error
        return path

    def _at(self, key: str) -> str:
        check_key(key)
        return f"{self.prefix}/{key}" if self.prefix else key

    def _answer(self, key: str) -> tuple[bytes, str]:
        """As `_get`. An answer that was asked for ahead is used once only, since the object may change."""
        answer = self._answers.pop(key, None)
        return answer.result() if answer else self._get(key)

    def _get(self, key: str, **arguments: Any) -> tuple[bytes, str]:
        """The object's bytes and its etag."""
        at = self._at(key)
        with self._explained(key):
            for attempt in range(1, _READS + 1):
                answer = self._s3.get_object(Bucket=self.name, Key=at, **arguments)
                try:
                    # By blocks, since `read` would take as much memory as the answer says that it is long.
                    return b"".join(answer["Body"].iter_chunks(_MIB)), _etag(answer)
                except _BROKEN:
                    if attempt == _READS:
                        raise
                    time.sleep(0.1 * 2**attempt)
        raise AssertionError

    def _begin(self, key: str, etag: str | None) -> Mapping[str, Any] | None:
        """Returns the answer that brings an object's first bytes; None where it has this etag still."""
        arguments: dict[str, Any] = {"Bucket": self.name, "Key": self._at(key)}
        if etag:
            arguments["IfNoneMatch"] = f'"{etag}"'
        try:
            return self._s3.get_object(**arguments, Range=f"bytes=0-{_FETCHED - 1}")
        except ClientError as error:
            if _status(error) == 304:
                return None
            if _status(error) != 416:
                raise
            return self._s3.get_object(**arguments)  # it is empty

    def _fetch(self, at: str, answer: Mapping[str, Any], path: Path) -> None:
        """Puts the object in a file, its parts side by side; `answer` brings the first of them."""
        unfinished, size, etag = path.parent / uuid4().hex, _size(answer), _etag(answer)

        def fetch(part: range) -> None:
            response = answer if part.start == 0 else None
            with unfinished.open("r+b") as file:
                file.seek(part.start)
                for attempt in range(1, _READS + 1):
                    response = response or self._s3.get_object(
                        Bucket=self.name, Key=at, Range=f"bytes={file.tell()}-{part.stop - 1}", IfMatch=f'"{etag}"'
                    )
                    try:
                        for block in response["Body"].iter_chunks(_MIB):
                            file.write(block)
                        return
                    except _BROKEN:
                        if attempt == _READS:
                            raise
                        response = None
                        time.sleep(0.1 * 2**attempt)

        try:
            unfinished.touch()
            first = _length(answer)
            parts = [range(first), *(range(b, min(b + _FETCHED, size)) for b in range(first, size, _FETCHED))]
            for _ in each(fetch, parts):
                pass
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _send(self, path: Path, at: str) -> None:
        with TransferManager(self._s3, _TRANSFER) as manager:
            manager.upload(str(path), self.name, at).result()

    @property
    def _s3(self) -> "S3Client":
        """This process's client: a forked child must not write into its parent's connections.

        Threads that ask for it together get one, since each takes 0.1 s and 10 MB.
        """
        pid = os.getpid()
        if pid not in self._clients:
            with self._making.setdefault(pid, threading.Lock()), self._explained(""):
                if pid not in self._clients:
                    self._clients[pid] = _client(self.endpoint)
        return self._clients[pid]

    @cached_property
    def _exists(self) -> bool:
        """True; asked once, because an answer to HEAD has no body that tells a missing bucket from a missing object.

        Raises:
            NotFound: there is no such bucket.
            AccessDenied: the keys are wrong.
        """
        with self._explained(""):
            self._s3.list_objects_v2(Bucket=self.name, Prefix=self.prefix, MaxKeys=1)
        return True

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Says what boto3's exceptions mean. Their own words are left out where they could hold keys."""
        try:
            yield
        except ClientError as error:
            raise self._refusal(error, key) from error
        except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError) as error:
            raise AccessDenied(f"there are no keys for {self.url}: set {_KEYS}") from error
        except (ProfileNotFound, ConfigNotFound) as error:
            raise AccessDenied(f"no keys for {self.url}: {error}: mend AWS_PROFILE, or set {_KEYS}") from error
        except SSLError as error:
            raise StorageError(
                f"{self.redacted_endpoint} has no certificate that is trusted here: mend LOLHL_S3_ENDPOINT_URL or "
                "AWS_CA_BUNDLE"
            ) from error
        except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
            raise StorageError(
                f"{self.redacted_endpoint} did not answer ({type(error).__name__}): check LOLHL_S3_ENDPOINT_URL and "
                "the network"
            ) from error
        except BotoCoreError as error:
            raise StorageError(f"{self.url}/{key}: {type(error).__name__}: {_one_line(str(error))}") from error
        # The latter three come out of botocore where a header is no number, a field is missing or is no text.
        except (ResponseParserError, _NoS3Answer, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"{self.redacted_endpoint} does not answer as an object store does: check LOLHL_S3_ENDPOINT_URL, which "
                "may be the address of a web page or of a console"
            ) from error

    def _refusal(self, error: ClientError, key: str) -> StorageError:
        code, status, endpoint = _code(error), _status(error), self.redacted_endpoint
        message = _one_line(str(error.response.get("Error", {}).get("Message") or ""))
        if code == "NoSuchBucket":
            return NotFound(f"there is no bucket {self.name} at {endpoint}: create it, or mend --root")
        if code in ("NoSuchKey", "404"):
            return _NoSuchKey(f"{self.url}/{key} does not exist")
        if status == 416:
            return _BehindTheEnd(f"{self.url}/{key} ends before the bytes asked for")
        if status in (409, 412):
            return Conflict(f"{self.url}/{key} was written by another run in the meantime: run again")
        skewed = code in ("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture") or "too skewed" in message
        if skewed or (status == 403 and _is_clock_off(error)):  # an answer to HEAD has no code
            now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
            return StorageError(
                f"{endpoint} refuses because the clock of this machine is off ({code}): it says {now}: set it"
            )
        if status in (401, 403) or "redential" in message:  # R2 answers 400 to a key of the wrong length
            return AccessDenied(f"{endpoint} refuses the keys for bucket {self.name} ({code}): check {_KEYS}")
        if status in (429, 503):
            return StorageError(f"{endpoint} is too busy ({code}, after {_ATTEMPTS} attempts): run again later")
        reason = " ".join(part for part in (code if code != str(status) else "", message) if part)
        reason = f"{status} ({reason})" if reason else str(status)
        if 300 <= status < 400:
            return StorageError(
                f"{self.url}/{key}: {endpoint} sends on to another address ({reason}): set LOLHL_S3_ENDPOINT_URL to "
                "that, and AWS_REGION to its region"
            )
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if "html" in headers.get("content-type", ""):
            reason = f"with a web page ({status})"
        advice = "run again later, or " if status >= 500 else ""
        return StorageError(f"{self.url}/{key}: {endpoint} answers {reason}: {advice}check LOLHL_S3_ENDPOINT_URL")


class _NoS3Answer(Exception):
    """The answer lacks what each object store says."""


class _NoSuchKey(NotFound):
    """No such object, or it cannot be told whether there is a bucket at all."""


class _BehindTheEnd(StorageError):
    pass


def _endpoint(bucket: str) -> str:
    variable = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    if variable is None:
        raise StorageError(
            f"no endpoint for bucket {bucket}: set {_ENDPOINTS[0]}, for R2 to https://<account>.r2.cloudflarestorage.com"
        )
    endpoint = os.environ[variable].strip().rstrip("/")
    if not re.match(r"https?://[^@?#\s]+$", endpoint) or not is_valid_endpoint_url(endpoint):
        raise StorageError(f"{variable} is no endpoint: give https://host, without keys")
    return endpoint.removesuffix(f"/{bucket}")  # Cloudflare's pages show it with the bucket at its end


def _client(endpoint: str) -> "S3Client":
    session = botocore.session.get_session()
    # To parse the times of 1,000 listed objects takes 0.13 s of the processor, and nobody reads them.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
    client = boto3.session.Session(botocore_session=session).client(
        "s3",
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_REGION") or "auto",
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            # The newer checksums make uploads over TLS aws-chunked, which R2 refuses.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=MANY,
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        ),
    )
    for operation in ("PutObject", "UploadPart"):
        client.meta.events.register(f"before-parameter-build.s3.{operation}", _add_md5)
    client.meta.events.register_last("before-call.s3", _drop_expect)
    client.meta.events.register_last("before-parameter-build.s3", _do_not_follow)
    return client


def _add_md5(params: dict[str, Any], **_: Any) -> None:
    """Lets the server check that the bytes it got are the bytes that were sent."""
    body = BytesIO(params["Body"]) if isinstance(params["Body"], bytes) else params["Body"]
    digest = hashlib.md5(usedforsecurity=False)
    start = body.tell()
    while block := body.read(_MIB):
        digest.update(block)
    body.seek(start)
    params["ContentMD5"] = b64encode(digest.digest()).decode()


def _do_not_follow(model: Any, context: dict[str, Any], **_: Any) -> None:
    """boto3 asks by HeadBucket where a redirect leads, and without this by another one where that leads, for ever."""
    if model.name == "HeadBucket":
        context.setdefault("s3_redirect", {})["redirected"] = True


def _drop_expect(params: dict[str, Any], **_: Any) -> None:
    """Drops the header by which an upload waits for "100 Continue", since that costs it a round trip."""
    params["headers"].pop("Expect", None)


def _make_room(cache: Path, size: int) -> None:
    """Removes the files used longest ago until one of this size fits below the bound."""
    files = []
    for path in cache.iterdir():
        with suppress(FileNotFoundError):  # another process makes room too
            stat = path.stat()
            files.append((stat.st_mtime, stat.st_size, path))
    used = sum(entry[1] for entry in files)
    bound = min(_CACHE_BYTES, (shutil.disk_usage(cache).free + used) // 2)
    for last_use, freed, path in sorted(files):
        if used + size <= bound or last_use > time.time() - _SPARED:
            return
        path.unlink(missing_ok=True)
        used -= freed


def _newest(cache: Path, begin: str) -> Path | None:
    """The file there whose name begins so, and which no other process removes from now on, if there is one."""
    for path in sorted(cache.glob(begin + "*"), key=_changed, reverse=True):
        with suppress(FileNotFoundError):
            os.utime(path)
            return path
    return None


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _etag(answer: Mapping[str, Any]) -> str:
    """Raises _NoS3Answer where a web page came instead of an object, or in place of the word that one is stored."""
    if not answer.get("ETag"):
        raise _NoS3Answer
    return str(answer["ETag"]).strip('"')


def _size(answer: Mapping[str, Any]) -> int:
    """The size of the whole object that the answer brings, or begins to bring."""
    return _checked_size(answer.get("ContentRange", "").rpartition("/")[2] or answer.get("ContentLength"))


def _length(answer: Mapping[str, Any]) -> int:
    """The size of what the answer itself brings."""
    return _checked_size(answer.get("ContentLength"))


def _checked_size(size: Any) -> int:
    """Raises _NoS3Answer for what is no size of an object."""
    try:
        number = int(size)
    except (TypeError, ValueError) as error:
        raise _NoS3Answer from error
    if not 0 <= number < 1 << 60:
        raise _NoS3Answer
    return number


def _entry_stat(entry: Mapping[str, Any], above: str) -> Stat:
    """An entry of a list of objects; `above` is what its key begins with in the bucket."""
    key = entry.get("Key", "")
    if not (key.startswith(above) and key):
        raise _NoS3Answer
    return Stat(key.removeprefix(above), _checked_size(entry.get("Size")), _etag(entry))


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code") or "")


def _is_clock_off(error: ClientError) -> bool:
    """Whether the server's time differs from ours by more than the 15 minutes that signatures allow."""
    with suppress(KeyError, TypeError, ValueError):
        date = parsedate_to_datetime(error.response["ResponseMetadata"]["HTTPHeaders"]["date"])
        return abs(date.timestamp() - time.time()) > 15 * 60
    return False


def _one_line(message: str) -> str:
    return " ".join(text.redacted(message).split())[:200]
