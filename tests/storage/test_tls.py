"""Part of the contract over TLS, where boto3 sends other requests than without it."""

from pathlib import Path

import pytest

from lolhl.errors import StorageError
from lolhl.storage import Root, bucket, open_root
from tests.servers import S3Server
from tests.storage import test_root as contract
from tests.storage.conftest import fresh, use


@pytest.fixture
def root(flare_tls: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Root:
    use(flare_tls, monkeypatch, tmp_path)
    return open_root(fresh(flare_tls))


def test_reading_and_writing(root: Root, tmp_path: Path) -> None:
    contract.test_what_is_written_is_read(root)
    root.delete("vods/a/vod.json")
    contract.test_upload_of_a_file(root, tmp_path)
    contract.test_local_follows_the_object(root)
    before = list(root.list(""))
    contract.test_a_conditional_write_needs_the_object_as_it_was(root)
    assert list(root.list("")) == before


@pytest.mark.slow
def test_upload_of_a_big_file(root: Root, tmp_path: Path) -> None:
    contract.test_upload_of_a_big_file(root, tmp_path)
    assert list(root.list(""))


def test_an_untrusted_certificate(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_ATTEMPTS", 1)
    monkeypatch.delenv("AWS_CA_BUNDLE")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(StorageError, match="AWS_CA_BUNDLE") as caught:
        root.read("k")
    assert "\n" not in str(caught.value)
