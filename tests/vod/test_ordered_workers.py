"""Threads that work on parts at the same time: their results come in order, and so do their errors."""

import itertools
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from lolhl.vod.ordered_workers import in_order


class Workers:
    """Counts what is opened and closed, and lets a part wait for another one."""

    def __init__(self) -> None:
        self.opened = self.closed = 0
        self.lock = threading.Lock()

    @contextmanager
    def open(self) -> Iterator["Workers"]:
        with self.lock:
            self.opened += 1
        try:
            yield self
        finally:
            with self.lock:
                self.closed += 1


def squares(_: Workers, number: int) -> Generator[int, None, None]:
    yield number
    yield number * number


def test_results_come_in_the_order_of_the_parts() -> None:
    later = threading.Event()

    def work(_: Workers, number: int) -> Generator[int, None, None]:
        if number == 0:  # the first part is over last
            assert later.wait(60)
        else:
            later.set()
        yield number

    workers = Workers()
    assert list(in_order(workers.open, range(3), work, workers=2, waiting=4)) == [0, 1, 2]
    assert workers.opened == workers.closed == 2


def test_a_part_may_yield_more_than_may_wait() -> None:
    def work(_: Workers, number: int) -> Generator[tuple[int, int], None, None]:
        yield from ((number, item) for item in range(50))

    made = list(in_order(Workers().open, range(4), work, workers=3, waiting=1))
    assert made == [(number, item) for number in range(4) for item in range(50)]


def test_an_error_comes_at_its_place_and_nothing_after_it() -> None:
    def work(_: Workers, number: int) -> Generator[int, None, None]:
        yield number
        if number == 2:
            raise ValueError("the third")

    workers, made = Workers(), list[int]()
    with pytest.raises(ValueError, match="the third"):
        made.extend(in_order(workers.open, itertools.count(), work, workers=3, waiting=4))
    assert made == [0, 1, 2]
    assert workers.opened == workers.closed


def test_what_a_part_returns_ends_it_all() -> None:
    def work(_: Workers, number: int) -> Generator[int, None, str | None]:
        yield number
        return "enough" if number == 5 else None

    returned = []

    def take() -> Generator[int, None, None]:
        returned.append((yield from in_order(Workers().open, itertools.count(), work, workers=2, waiting=4)))

    assert list(take()) == [0, 1, 2, 3, 4, 5]
    assert returned == ["enough"]


def test_an_error_of_the_parts_comes_after_those_before_it() -> None:
    def parts() -> Iterator[int]:
        yield 0
        raise OSError("no more parts")

    made: list[int] = []
    with pytest.raises(OSError, match="no more parts"):
        made.extend(in_order(Workers().open, parts(), squares, workers=1, waiting=4))
    assert made == [0, 0]


def test_what_cannot_be_opened_is_told() -> None:
    @contextmanager
    def fails() -> Iterator[Workers]:
        raise OSError("no such file")
        yield

    with pytest.raises(OSError, match="no such file"):
        list(in_order(fails, range(3), squares, workers=2, waiting=4))


def test_who_takes_no_more_ends_the_threads() -> None:
    workers = Workers()
    taking = in_order(workers.open, itertools.count(), squares, workers=2, waiting=1)
    assert next(taking) == 0
    taking.close()
    assert workers.opened == workers.closed > 0
    assert not [
        thread for thread in threading.enumerate() if thread.name.startswith("Thread-") and "_work" in thread.name
    ]


def test_few_parts_are_begun_before_those_before_them_are_taken() -> None:
    begun: list[int] = []

    def parts() -> Iterator[int]:
        for number in itertools.count():
            begun.append(number)
            yield number

    taking = in_order(Workers().open, parts(), squares, workers=2, waiting=4)
    for _ in range(20):
        next(taking)
    taking.close()
    assert len(begun) <= 10 + 2 + 1
