"""Threads that work on parts of one thing at the same time, and their results in order."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

Worker = TypeVar("Worker")
Part = TypeVar("Part")
Item = TypeVar("Item")
Over = TypeVar("Over")

_POLL = 0.1  # seconds after which a thread that waits looks whether it is still wanted


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
    begun: _Begun[Part, Item, Over] = _Begun(parts, workers=workers, waiting=waiting)
    threads = [threading.Thread(target=_work, args=(worker, work, begun), daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for results in begun.take():
            over = yield from results.take()
            if over is not None:
                return over
        return None
    finally:
        begun.unwanted.set()
        for thread in threads:
            thread.join()


def _work(
    worker: Callable[[], AbstractContextManager[Worker]],
    work: Callable[[Worker, Part], Generator[Item, None, Over | None]],
    begun: "_Begun[Part, Item, Over]",
) -> None:
    """What each thread does: one part after the other."""
    try:
        with worker() as resource:
            while task := begun.begin():
                part, results = task
                try:
                    results.put_all(work(resource, part))
                except _Unwanted:
                    return
                except BaseException as error:  # it comes out where the results are taken
                    results.put(_Ended(None, error))
                    return
    except _Unwanted:
        pass
    except BaseException as error:  # opening failed
        begun.fail(error)


@dataclass(frozen=True)
class _Ended(Generic[Over]):
    """The last entry among a part's results: what the work returned, or the error that it raised."""

    over: Over | None
    error: BaseException | None = None


class _Unwanted(Exception):
    """Nobody takes results any more."""


class _Results(Generic[Item, Over]):
    """What the work on one part yields, on its way from its thread to where it is taken."""

    def __init__(self, waiting: int, unwanted: threading.Event) -> None:
        self._entries: queue.Queue[Item | _Ended[Over]] = queue.Queue(waiting)
        self._unwanted = unwanted

    def put(self, entry: Item | _Ended[Over]) -> None:
        """Waits while as many wait as may. Raises _Unwanted where nobody takes them any more."""
        while True:
            try:
                self._entries.put(entry, timeout=_POLL)
                return
            except queue.Full:
                if self._unwanted.is_set():
                    raise _Unwanted from None

    def put_all(self, items: Generator[Item, None, Over | None]) -> None:
        """What the work yields, and then what it returns."""
        try:
            while True:
                self.put(next(items))
        except StopIteration as stopped:
            self.put(_Ended(stopped.value))
        finally:
            items.close()

    def take(self) -> Generator[Item, None, Over | None]:
        """Yields what the work yields. Returns what it returns, and raises what it raises."""
        while not isinstance(entry := self._entries.get(), _Ended):
            yield entry
        if entry.error is not None:
            raise entry.error
        return entry.over


class _Begun(Generic[Part, Item, Over]):
    """The parts that threads have begun, in order.

    Attributes:
        unwanted: set where nobody takes results any more.
    """

    def __init__(self, parts: Iterable[Part], *, workers: int, waiting: int) -> None:
        self.unwanted = threading.Event()
        self._todo = iter(parts)
        self._waiting = waiting
        self._lock = threading.Lock()  # so that parts stand in `_results` in the order in which they come
        self._results: queue.Queue[_Results[Item, Over] | None] = queue.Queue()  # None after the last part
        self._ahead = threading.Semaphore(workers + 1)  # parts that are begun but not taken

    def begin(self) -> tuple[Part, _Results[Item, Over]] | None:
        """The next part, once it may be begun. None where no part is left, or nobody takes results any more."""
        while not self._ahead.acquire(timeout=_POLL):
            if self.unwanted.is_set():
                return None
        if self.unwanted.is_set():
            return None
        with self._lock:
            try:
                part = next(self._todo)
            except StopIteration:
                self._results.put(None)
                return None
            results: _Results[Item, Over] = _Results(self._waiting, self.unwanted)
            self._results.put(results)
        return part, results

    def fail(self, error: BaseException) -> None:
        """Lets an error come out after the parts that are begun."""
        with self._lock:
            results: _Results[Item, Over] = _Results(1, self.unwanted)
            results.put(_Ended(None, error))
            self._results.put(results)

    def take(self) -> Iterator[_Results[Item, Over]]:
        """The results of each part, in order. The next part may be begun when the next ones are asked for."""
        while (results := self._results.get()) is not None:
            yield results
            self._ahead.release()
