"""Work on many objects at once, whose results come in order."""

import threading

import pytest

from lolhl.storage import each


def test_results_come_in_the_order_of_the_items() -> None:
    begun = threading.Barrier(4)

    def slow(number: int) -> int:
        if number < 4:
            begun.wait(30)  # only passed when four of them run at once
        return number * number

    assert list(each(slow, range(20), ahead=4)) == [number * number for number in range(20)]
    assert list(each(slow, [], ahead=4)) == []


def test_no_more_is_begun_than_may_wait() -> None:
    begun = []

    def note(number: int) -> int:
        begun.append(number)
        return number

    results = each(note, range(100), ahead=3)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(begun) <= 5 + 3
    results.close()
    assert len(begun) <= 5 + 3


def test_an_error_comes_where_its_result_would() -> None:
    def fail(number: int) -> int:
        if number == 2:
            raise ValueError("two")
        return number

    results = each(fail, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
