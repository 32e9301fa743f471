"""The whole way as TorchX jobs, on any scheduler: streams and labels in, a model and highlights out.

    python -m components.pipeline --learn a.mp4 --find b.mp4 --labels a.tsv --model first --root lolhl-data

Each stage is a job of its component, started when the one before has ended well. A stage that is done
already says so and ends at once, so the same command goes on where an earlier one stopped.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from torchx.runner import Runner, config, get_runner
from torchx.schedulers.api import Stream as Output
from torchx.schedulers.local_scheduler import LocalScheduler, SignalException
from torchx.specs import AppState, AppStatus, CfgVal, parse_app_handle

from components._interpreter import put_on_path
from components.schedulers.errors import SchedulerError

SCHEDULERS = ("local_cwd", "local_docker", "slurm", "kubernetes")
# How long a scheduler may be away while a job runs, in seconds: a cluster's API restarts, too.
AWAY_SECONDS = 60.0
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Job:
    """One stage to run.

    Attributes:
        stage: the component, which is also the name of its verb.
        args, component_args: arguments of the verb and of the component.
        vods: of how many VODs it makes something each.
    """

    stage: str
    args: tuple[str, ...]
    component_args: tuple[str, ...] = ()
    vods: int = 1


@dataclass(frozen=True)
class Stream:
    """A source and the name that its VOD gets."""

    source: str
    name: str


def jobs(
    learn: Sequence[Stream], find: Sequence[Stream], labels: Sequence[str], model: str, root: str, train: Sequence[str]
) -> list[Job]:
    """The stages in order, for streams to learn from and streams to find highlights in.

    Args:
        labels: label files; those of streams in `find` serve for judging only.
        train: more arguments for `lolhl train`.
    """
    at = ("--root", root)
    learnt, scored = [stream.name for stream in learn], [stream.name for stream in find]
    return [
        *(Job("download", (s.source, "--name", s.name, *at)) for s in (*learn, *find)),
        *(Job("labels", (file, *at)) for file in labels),
        Job("extract", (*learnt, *at), vods=len(learnt)),
        Job("dataset", (model, *learnt, *at)),
        Job("train", (model, "--dataset", model, *train, *at)),
        Job("infer", (model, *scored, *at), vods=len(scored)),
        Job("report", (*scored, *at), vods=len(scored)),
    ]


def in_containers(jobs: Iterable[Job]) -> list[Job]:
    """The same jobs, with this machine's files that they name mounted where they lie here."""
    return [_mounted(job, Path(job.args[0]).absolute()) for job in jobs]


def _mounted(job: Job, path: Path) -> Job:
    if job.stage not in ("download", "labels") or not path.exists():
        return job
    mounts = "--mounts", f"type=bind,src={path},dst={path},readonly"
    return replace(job, args=(str(path), *job.args[1:]), component_args=(*job.component_args, *mounts))


def run(jobs: Iterable[Job], scheduler: str, cfg: dict[str, CfgVal], image: str | None, out: TextIO) -> bool:
    """Runs the jobs one after the other, and shows what each printed. An exception ends the job that runs.

    Returns:
        True when all ended well. Else says where the failed job's log lies, and False.

    Raises:
        SignalException: SIGINT or SIGTERM came; TorchX raises it in place of KeyboardInterrupt.
    """
    put_on_path()
    with get_runner() as runner:
        return all(_run_job(runner, job, scheduler, cfg, image, out) for job in jobs)


def _run_job(runner: Runner, job: Job, scheduler: str, cfg: dict[str, CfgVal], image: str | None, out: TextIO) -> bool:
    component = f"{_HERE / job.stage}.py:{job.stage}"
    named = ["--image", image] if image else []
    begun = time.monotonic()
    try:
        handle = runner.run_component(component, [*named, *job.component_args, "--", *job.args], scheduler, cfg)
    except SignalException:
        raise
    except Exception as error:  # each scheduler has its own
        print(f"{job.stage}: {scheduler} did not take the job: {_one_line(error)}", file=out)
        return False
    try:
        status = _wait(runner, handle)
    except SchedulerError as error:
        print(f"{job.stage}: {scheduler} no longer answers, and the job may go on: {error}", file=out)
        print(f"  job: {handle}; once it has ended, the same command goes on from here", file=out)
        return False
    except BaseException:
        with suppress(Exception):  # where the scheduler is away as well, the job stays
            runner.cancel(handle)
        raise
    seconds = f"{time.monotonic() - begun:.0f} s"
    if status is None:
        print(f"{job.stage}: FAILED after {seconds}: {scheduler} has no job {handle} any more", file=out)
        return False
    if status.state != AppState.SUCCEEDED:
        print(f"{job.stage}: FAILED after {seconds}", file=out)
        _show(_printed(runner, handle, Output.STDERR), out)
        print(f"  log: {_log_folder(runner, handle) or f'torchx log {handle}'}", file=out)
        return False
    log = _printed(runner, handle, Output.STDERR)
    already = sum(f"{job.stage}: done already" in line for line in log) >= job.vods
    print(f"{job.stage}: {'done already' if already else f'done in {seconds}'}", file=out)
    _show(_printed(runner, handle, Output.STDOUT), out)
    out.flush()
    return True


def _wait(runner: Runner, handle: str) -> AppStatus | None:
    """How the job ended; None when its scheduler does not have it any more.

    Raises:
        SchedulerError: the scheduler did not answer for AWAY_SECONDS.
    """
    answered = time.monotonic()
    while True:
        try:
            status = runner.status(handle)
        except SignalException:
            raise
        except Exception as error:  # each scheduler has its own
            if time.monotonic() - answered > AWAY_SECONDS:
                raise SchedulerError(_one_line(error)) from error
        else:
            answered = time.monotonic()
            if status is None or status.is_terminal():
                return status
        time.sleep(0.2)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _log_folder(runner: Runner, handle: str) -> Path | None:
    """Where the job's output lies on this machine; None when a cluster has it."""
    name, _, app = parse_app_handle(handle)
    scheduler = runner._scheduler(name)
    return Path(scheduler._apps[app].log_dir) if isinstance(scheduler, LocalScheduler) else None


def _printed(runner: Runner, handle: str, stream: Output) -> list[str]:
    """What the job's first replica printed; where a scheduler keeps both streams in one, all of it."""
    if folder := _log_folder(runner, handle):  # the runner can lose the output of a job of less than a second
        name = f"{stream.value}.log"
        return [line for log in sorted(folder.glob(f"*/*/{name}")) for line in log.read_text().splitlines()]
    try:
        described = runner.describe(handle)
        if described is None:
            return ["(its log is gone)"]
        (role,) = described.roles
        try:
            return [line.rstrip() for line in runner.log_lines(handle, role.name, streams=stream)]
        except ValueError:
            return [line.rstrip() for line in runner.log_lines(handle, role.name)]
    except SignalException:
        raise
    except Exception as error:  # each scheduler has its own; the job has ended whatever became of its log
        return [f"(its log cannot be read: {_one_line(error)})"]


def _show(lines: Sequence[str], out: TextIO) -> None:
    """The end of what a job printed."""
    for line in lines[-30:]:
        print(f"  {line}", file=out)


def _stream(text: str) -> Stream:
    """ "NAME=SOURCE", or a source whose name is that of its file or its Twitch id."""
    name, equals, source = text.partition("=")
    return Stream(source, name) if equals and "/" not in name else Stream(text, Path(text.rstrip("/")).stem)


def configured(scheduler: str, pairs: Sequence[str]) -> dict[str, CfgVal]:
    """These settings of a scheduler, over those that .torchxconfig has for it, as `torchx run` reads them.

    Raises:
        ValueError: a pair is none, or of no setting.
    """
    with get_runner() as runner:
        settings = runner.scheduler_run_opts(scheduler)
    known = sorted(name for name, _ in settings)
    for pair in pairs:
        name, equals, _ = pair.partition("=")
        if not equals or name not in known:
            raise ValueError(f"--cfg {pair}: give NAME=VALUE, with a name of {', '.join(known)}")
    cfg: dict[str, CfgVal] = settings.cfg_from_str(",".join(pairs))
    config.apply(scheduler, cfg)
    return cfg


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m components.pipeline", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = "Twitch VOD id or URL, video URL or file; NAME=SOURCE to name it"
    parser.add_argument(
        "--learn", nargs="+", type=_stream, required=True, metavar="SOURCE", help=f"learn from: {source}"
    )
    parser.add_argument("--find", nargs="+", type=_stream, required=True, metavar="SOURCE", help="find highlights in")
    parser.add_argument("--labels", nargs="+", required=True, metavar="FILE", help="label files")
    parser.add_argument("--model", required=True, help="name of the model, and of its dataset")
    parser.add_argument("--root", default=os.environ.get("LOLHL_ROOT", "lolhl-data"), help="where all data lies")
    parser.add_argument("--scheduler", default="local_cwd", choices=SCHEDULERS, help="where the jobs run")
    parser.add_argument(
        "--cfg", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the scheduler, over .torchxconfig's"
    )
    parser.add_argument("--image", help="container image of all jobs")
    parser.add_argument("train", nargs="*", metavar="-- TRAIN-OPTION", help="options of `lolhl train`, after --")
    arguments = parser.parse_args(argv)
    try:
        cfg = configured(arguments.scheduler, arguments.cfg)
    except ValueError as error:
        parser.error(str(error))
    todo = jobs(arguments.learn, arguments.find, arguments.labels, arguments.model, arguments.root, arguments.train)
    if arguments.scheduler in ("local_docker", "kubernetes") and not arguments.root.startswith("s3://"):
        parser.error(f"--root {arguments.root}: containers do not share a folder: give s3://bucket/prefix")
    if arguments.scheduler == "local_docker":
        todo = in_containers(todo)
    try:
        return 0 if run(todo, arguments.scheduler, cfg, arguments.image, sys.stdout) else 1
    except (KeyboardInterrupt, SignalException) as stopped:
        print("pipeline: stopped, and its job with it; the same command goes on from here", file=sys.stderr)
        return 128 + getattr(stopped, "sigval", signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
