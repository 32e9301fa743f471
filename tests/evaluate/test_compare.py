"""Comparisons of methods whose truth is known."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np
import pytest

from lolhl.evaluate import metrics
from lolhl.evaluate.compare import compare, table
from lolhl.evaluate.figures import MethodFigures
from lolhl.evaluate.judge import Judge, Predictions, ScoredVod, judge
from lolhl.highlights.cut import Limits
from lolhl.labels.spans import Span, on_grid

FPS = Fraction(3)
USED = Judge(3.0, Limits(threshold=0.5))
VODS = {
    "a": [Span(start + 7, start + 17) for start in range(0, 600, 60)],
    "b": [Span(start + 28, start + 35) for start in range(0, 900, 100)],
}


def knowing(share: float, fps: Fraction = FPS, vods: Sequence[str] = ("a", "b")) -> Predictions:
    """What a method says that knows this share of the truth, the rest being noise."""
    scored = []
    for seed, vod in enumerate(vods):
        labels = on_grid(VODS[vod], int(900 * fps), fps)
        noise = np.random.default_rng(seed).random(len(labels))
        scored.append(ScoredVod(vod=vod, fps=fps, scores=share * labels + (1 - share) * noise, labels=VODS[vod]))
    return USED.predict(scored)


@pytest.fixture(scope="module")
def compared() -> dict[str, MethodFigures]:
    methods = {"good": knowing(0.8), "bad": knowing(0.2), "good too": knowing(0.8), "slow": knowing(0.8, Fraction(1))}
    return {method.method: method for method in compare(methods, ["good", "bad"])}


def test_each_method_has_the_figures_that_it_has_alone(compared: dict[str, MethodFigures]) -> None:
    for name, share in (("good", 0.8), ("bad", 0.2)):
        alone = judge(knowing(share))
        assert {key: value for key, value in vars(compared[name]).items() if key in vars(alone)} == vars(alone)


def test_differences_are_of_the_figures_that_are_shown(compared: dict[str, MethodFigures]) -> None:
    good, bad = compared["good"], compared["bad"]
    assert set(good.differences) == {"bad"}
    difference = good.differences["bad"]
    assert difference.average_precision.value == pytest.approx(
        (good.frames.model.average_precision or 0) - (bad.frames.model.average_precision or 0)
    )
    assert difference == good.differences["bad"]
    for at, (better, worse) in enumerate(zip(good.events, bad.events, strict=True)):
        assert difference.events[at].value == pytest.approx((better.f1 or 0) - (worse.f1 or 0))
        interval = difference.events[at].interval
        assert interval is not None
        assert interval.low > 0
    assert difference.average_precision == metrics.gain(knowing(0.2).ranking, knowing(0.8).ranking)


def test_the_same_answers_do_not_differ_whatever_is_drawn(compared: dict[str, MethodFigures]) -> None:
    gain = compared["good too"].differences["good"].average_precision
    assert gain.interval is not None
    assert (gain.value, gain.interval.low, gain.interval.high) == (0, 0, 0)


def test_methods_of_other_frame_rates_are_compared_by_the_same_chunks(compared: dict[str, MethodFigures]) -> None:
    slow, good = compared["slow"], compared["good"]
    assert slow.frames.model.frames * 3 == good.frames.model.frames
    assert slow.differences["bad"].average_precision.groups == slow.frames.model.groups == good.frames.model.groups


def test_other_vods_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same VODs"):
        compare({"one": knowing(0.8), "other": knowing(0.8, vods=("a",))})


def test_the_table_fits_120_columns_and_says_what_matters_to_an_editor(compared: dict[str, MethodFigures]) -> None:
    methods = [*compared.values(), *compared.values()]
    lines = table(methods, {}).splitlines()
    assert max(map(len, lines)) <= 120
    for heading in ("start off by, s", "minutes for 80%", "ten best right", "called / labelled"):
        assert sum(heading in line for line in lines) == 1
    assert sum("of 10 by" in line for line in lines) == 2  # VOD a, in two parts
    older = [replace(method, editing=None) for method in compared.values()]
    assert "ten best" not in table(older, {})


def test_the_table_has_all_methods_and_marks_those_that_know_the_vod(compared: dict[str, MethodFigures]) -> None:
    text = table([*compared.values()], {"good": ["b"]})
    assert all("nan" not in line.lower() and "None" not in line for line in text.splitlines())
    first = text.split("\n\n")[0].splitlines()
    assert [line.split("  ")[0] for line in first[1:]] == ["good*", "bad", "good too", "slow", "random, expected"]
    (vod,) = [line for line in text.splitlines() if line.startswith("b ")]
    assert vod.count("*") == 1
    assert "has learnt from this VOD: its figures flatter it" in text
    assert "flatter" not in table([*compared.values()], {})
    assert asdict(compared["bad"])["differences"]["good"]["average_precision"]["value"] < 0
