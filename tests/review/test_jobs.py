"""Jobs of the review page: real verbs in processes of their own, one at a time."""

from pathlib import Path

import pytest

from lolhl.errors import NotFound
from lolhl.review.jobs import Busy, Job, Jobs
from lolhl.storage import Root, open_root
from tests.review.silent import silent_server


@pytest.fixture
def empty(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


def ended(jobs: Jobs) -> Job:
    job = jobs.wait(100)
    assert job
    assert not job.runs
    return job


def test_what_a_verb_makes_is_its_result(root: Root) -> None:
    with Jobs(root) as jobs:
        assert jobs.last is None
        begun = jobs.start("report", ["--clips", "none", "--top", "1", "--", "stream"], "A stream")
        assert (begun.number, begun.verb, begun.subject, begun.state) == (1, "report", "A stream", "running")
        job = ended(jobs)
    assert (job.state, job.error) == ("done", "")
    assert job.result
    assert job.result["vod"] == "stream"
    assert len(job.result["highlights"]) == 1


def test_a_failure_is_one_line(empty: Root) -> None:
    with Jobs(empty) as jobs:
        jobs.start("retrain")
        job = ended(jobs)
    assert job.state == "failed"
    assert job.error.startswith(f"{empty.url} has 0 labelled VODs with a video, and retraining needs two")
    assert "\n" not in job.error


def test_one_at_a_time_and_it_can_be_cancelled(empty: Root) -> None:
    with silent_server() as (url, listener), Jobs(empty) as jobs:
        first = jobs.start("run", ["--", url])
        with listener.accept()[0]:  # its process is at work
            with pytest.raises(Busy, match="run is running: wait until it ends, or cancel it"):
                jobs.start("retrain")
            with pytest.raises(NotFound):
                jobs.cancel(first.number + 1)
            assert jobs.cancel(first.number).state == "cancelling"
            assert ended(jobs).state == "cancelled"
        assert jobs.start("retrain").number == 2
        assert ended(jobs).state == "failed"
        assert jobs.cancel(2).state == "failed"  # it has ended


def test_a_job_ends_with_its_server(empty: Root) -> None:
    with silent_server() as (url, listener):
        with Jobs(empty) as jobs:
            jobs.start("run", ["--", url])
            connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            while connection.recv(1000):  # its request; then the end, since no process holds the connection any more
                pass
    assert jobs.last
    assert jobs.last.state == "cancelled"
