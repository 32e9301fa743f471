"""Threads that work on parts of one thing at the same time, and their results in order."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

Worker = TypeVar("Worker")
Part = TypeVar("Part")
Item = TypeVar("Item")
Over = TypeVar("Over")

_POLL = 0.1  # seconds after which a thread that waits looks whether it is still wanted


@dataclass(frozen=True)
class _Ended(Generic[Over]):
    """The last entry of a part's queue: what the work returned, or the error that it raised."""

    over: Over | None
    error: BaseException | None = None


class _Unwanted(Exception):
    """Nobody takes results any more."""


def in_order(
    worker: Callable[[], AbstractContextManager[Worker]],
    parts: Iterable[Part],
    work: Callable[[Worker, Part], Generator[Item, None, Over | None]],
    *,
    workers: int,
    waiting: int,
) -> Generator[Item, None, Over | None]:
    """Yields what `work` yields for each part, in the order of the parts.

    Args:
        worker: opens what a thread keeps from part to part, such as a file; closed when all is over.
        parts: may be endless.
        work: in a thread; yields results. What it returns ends everything after this part, unless it is None.
        workers: number of threads.
        waiting: results of a part that may wait until they are taken: bounds memory.

    Returns:
        What the work on the last part returned.

    Raises:
        Whatever `worker` and `work` raise, at its place in the order.
    """
    todo = iter(parts)
    parts_lock = threading.Lock()
    begun: queue.Queue[queue.Queue[Item | _Ended[Over]] | None] = queue.Queue()
    ahead = threading.Semaphore(workers + 1)  # parts that are begun but not taken
    unwanted = threading.Event()

    def put(results: "queue.Queue[Item | _Ended[Over]]", item: Item | _Ended[Over]) -> None:
        while True:
            try:
                results.put(item, timeout=_POLL)
                return
            except queue.Full:
                if unwanted.is_set():
                    raise _Unwanted from None

    def run() -> None:
        with worker() as resource:
            while not unwanted.is_set():
                if not ahead.acquire(timeout=_POLL):
                    continue
                with parts_lock:
                    results: queue.Queue[Item | _Ended[Over]] = queue.Queue(waiting)
                    try:
                        part = next(todo)
                    except StopIteration:
                        begun.put(None)
                        return
                    begun.put(results)
                try:
                    over = yield_all(work(resource, part), results)
                    put(results, _Ended(over))
                except _Unwanted:
                    return
                except BaseException as error:  # it comes out where the results are taken
                    put(results, _Ended(None, error))
                    return

    def yield_all(
        generator: Generator[Item, None, Over | None], results: "queue.Queue[Item | _Ended[Over]]"
    ) -> Over | None:
        try:
            while True:
                put(results, next(generator))
        except StopIteration as stopped:
            over: Over | None = stopped.value
            return over
        finally:
            generator.close()

    def guarded() -> None:
        try:
            run()
        except _Unwanted:
            pass
        except BaseException as error:  # opening failed
            with parts_lock:
                failure: queue.Queue[Item | _Ended[Over]] = queue.Queue()
                failure.put(_Ended(None, error))
                begun.put(failure)

    threads = [threading.Thread(target=guarded, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        while (results := begun.get()) is not None:
            while not isinstance(item := results.get(), _Ended):
                yield item
            ahead.release()
            if item.error is not None:
                raise item.error
            if item.over is not None:
                return item.over
        return None
    finally:
        unwanted.set()
        for thread in threads:
            thread.join()
