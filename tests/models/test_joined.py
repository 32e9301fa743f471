"""Models of whole stretches: what they see, how they join signals, and that no stretch sees beyond itself."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lolhl.data.windows import HeldStretch, WindowDataset
from lolhl.errors import UsageError
from lolhl.evaluate import metrics
from lolhl.models import scoring
from lolhl.models.arrays import HeadSettings, fit, score
from lolhl.models.baseline import SAMPLE, array_baseline
from lolhl.models.gru import GruSettings
from lolhl.models.joined import JoinedModel, weighted
from lolhl.models.registry import MODELS
from lolhl.models.scoring import Instants
from lolhl.models.tcn import TcnModel, TcnSettings

CPU = torch.device("cpu")
WIDTHS = {"pictures": 6, "sound": 3}
SETTINGS: dict[str, Any] = {"signals": "pictures,sound", "hidden": 16}

Streams = tuple[list[dict[str, npt.NDArray[np.float16]]], list[npt.NDArray[np.bool_]]]


def streams(count: int, seconds: int = 600) -> Streams:
    """Highlights of 10 to 20 s every 60 s; each stream has levels of its own, and sound says more than pictures."""
    rng = np.random.default_rng(5)
    tracks, labels = [], []
    for _ in range(count):
        label = np.zeros(seconds * 3, dtype=bool)
        for start in range(60, len(label) - 90, 180):
            label[start : start + int(rng.integers(30, 60))] = True
        values = {}
        for name, width in WIDTHS.items():
            clear = 1.5 if name == "sound" else 0.7
            rows = rng.normal(size=(len(label), width)) + clear * label[:, None]
            values[name] = (rows * rng.uniform(0.5, 3, width) + rng.normal(size=width) * 5).astype(np.float16)
        tracks.append(values)
        labels.append(label)
    return tracks, labels


def precision(label: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32]) -> float:
    return metrics.average_precision(label, scores) or 0.0


@pytest.mark.parametrize(("reach", "layers"), [(105, 3), (3, 1), (10, 3), (500, 5), (300, 1)])
def test_a_tcn_sees_as_far_as_its_context_and_no_further(reach: int, layers: int) -> None:
    settings = TcnSettings(reach=reach, layers=layers, hidden=16)
    assert settings.context <= max(reach, 3 * layers)
    torch.manual_seed(1)
    model = TcnModel(settings, {"pictures": 2}).eval().double()
    count = 2 * settings.context + 9
    values = torch.randn(1, count, 2, dtype=torch.float64, requires_grad=True)
    model({"pictures": values}, {"pictures": torch.ones(1, count, dtype=torch.bool)})[0, count // 2].backward()
    assert values.grad is not None
    seen = torch.nonzero(values.grad[0].abs().sum(1))[:, 0] - count // 2
    assert -settings.context <= int(seen.min()) <= int(seen.max()) <= settings.context
    assert int(seen.max()) > settings.context // 4  # rectified units may cut the farthest


def test_the_usual_reach_is_35_seconds_of_three_layers() -> None:
    assert TcnSettings().dilations[0] == 1
    assert 95 <= TcnSettings().context <= 105


@pytest.mark.parametrize("kind", ["tcn", "gru"])
def test_scores_of_batches_are_those_of_the_whole(kind: str) -> None:
    rng = np.random.default_rng(2)
    torch.manual_seed(0)
    model = MODELS[kind](MODELS[kind].Settings(**SETTINGS), WIDTHS).eval()
    values = {name: rng.normal(size=(1900, width)).astype(np.float16) for name, width in WIDTHS.items()}
    values["sound"][300:700] = np.nan
    values["pictures"][650:900] = np.nan
    batches = [
        Instants.from_values({name: rows[first : first + 333] for name, rows in values.items()})
        for first in range(0, 1900, 333)
    ]
    scores = np.concatenate(list(scoring.probabilities(model, batches, CPU)))
    whole = Instants.from_values(values)
    tracks = {name: torch.from_numpy(rows)[None].float() for name, rows in whole.values.items()}
    known = {name: torch.from_numpy(flags)[None] for name, flags in whole.known.items()}
    np.testing.assert_allclose(scores, torch.sigmoid(model(tracks, known))[0].detach().numpy(), atol=1e-5)
    assert isinstance(model, JoinedModel)
    explained = list(scoring.explained(model, batches, CPU))
    np.testing.assert_allclose(np.concatenate([some for some, _ in explained]), scores, atol=1e-6)
    parts = {name: np.concatenate([some[name] for _, some in explained]) for name in WIDTHS}
    log_odds = sum(parts.values()) + float(model.bias)
    np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), scores, atol=1e-5)
    shares = {name: float(weight) * whole.known[name] for name, weight in zip(WIDTHS, model.weights, strict=True)}
    for name, logits in model.signal_logits(tracks, known).items():
        np.testing.assert_array_equal(parts[name] != 0, whole.known[name])
        share = shares[name] / np.maximum(sum(shares.values()), 1e-6)
        expected = float(model.scale) * share * logits[0].detach().numpy()
        np.testing.assert_allclose(parts[name], expected, atol=1e-4)


@pytest.mark.parametrize("context", [0, 20, None])
def test_windows_count_each_instant_once_and_end_with_their_stretch(context: int | None) -> None:
    rng = np.random.default_rng(0)
    stretches = [HeldStretch(100, rng.random(150) < 0.3), HeldStretch(300, rng.random(7) < 0.3)]
    dataset = WindowDataset(stretches, context)
    rows, labels, instants = dataset[torch.arange(len(dataset))]
    assert rows.shape == labels.shape == instants.shape == (len(dataset), dataset.length)
    counted = instants >= 0
    assert sorted(instants[counted].tolist()) == list(range(157))
    np.testing.assert_array_equal(labels[counted].bool().numpy(), dataset.truth[instants[counted].numpy()])
    row_of_instant = np.concatenate([np.arange(100, 250), np.arange(300, 307)])
    np.testing.assert_array_equal(rows[counted].numpy(), row_of_instant[instants[counted].numpy()])
    for window_rows, window_counted in zip(rows, counted, strict=True):
        shown = window_rows[window_rows >= 0]
        first, last = (100, 249) if int(shown[0]) < 300 else (300, 306)
        around = 0 if context is None else context
        numbers = window_rows[window_counted]
        assert int(shown.min()) == max(first, int(numbers.min()) - around)
        assert int(shown.max()) == min(last, int(numbers.max()) + around)


def test_windows_show_what_nobody_has_looked_at_round_a_stretch_and_count_it_not() -> None:
    stretches = [HeldStretch(105, np.ones(10, bool), before=5, after=20), HeldStretch(135, np.zeros(4, bool))]
    dataset = WindowDataset(stretches, 20)
    rows, labels, instants = dataset[torch.arange(len(dataset))]
    assert [window[window >= 0].tolist() for window in instants] == [list(range(10)), list(range(10, 14))]
    assert [window[window >= 0].tolist() for window in rows] == [list(range(100, 135)), list(range(135, 139))]
    assert labels[instants >= 0].tolist() == [1.0] * 10 + [0.0] * 4


@pytest.mark.parametrize("settings", [TcnSettings(**SETTINGS), GruSettings(**SETTINGS)], ids=["tcn", "gru"])
def test_joined_signals_are_no_worse_than_the_better_one_and_a_missing_one_costs_no_more(
    settings: TcnSettings | GruSettings,
) -> None:
    tracks, labels = streams(4)
    kind = "tcn" if isinstance(settings, TcnSettings) else "gru"
    learning = HeadSettings(kind=kind, model=settings, epochs=6, learning_rate=5e-3)
    model = fit(tracks[:3], labels[:3], learning)
    whole, without, alone = score(
        model, [tracks[3], {"sound": tracks[3]["sound"]}, {"pictures": tracks[3]["pictures"]}]
    )
    whole_precision, sound, pictures = (precision(labels[3], scores) for scores in (whole, without, alone))
    assert sound > pictures > 0.4
    assert whole_precision > sound - 0.02
    assert isinstance(model.head, JoinedModel)
    assert model.head.weights[1] > model.head.weights[0]  # sound's
    again = fit(tracks[:3], labels[:3], learning)
    np.testing.assert_array_equal(score(again, tracks[3:])[0], whole)


def test_a_signal_that_is_unknown_for_a_while_leaves_the_others_to_decide() -> None:
    logits = torch.tensor([[1.0, 5.0], [1.0, 5.0], [1.0, 5.0]])
    known = torch.tensor([[True, True], [True, False], [False, False]])
    parts = weighted(logits, known, torch.tensor([0.25, 0.75]))
    assert parts.tolist() == [[0.25, 3.75], [1.0, 0.0], [0.0, 0.0]]


def test_hiding_leaves_a_signal_that_is_known() -> None:
    torch.manual_seed(0)
    model = TcnModel(TcnSettings(**SETTINGS, hide=0.9), WIDTHS).train()
    known = {"pictures": torch.ones(500, 4, dtype=torch.bool), "sound": torch.ones(500, 4, dtype=torch.bool)}
    known["sound"][:250] = False
    shown = model._some(known)
    assert shown["pictures"][:250].all()
    assert not shown["sound"][:250].any()
    both = torch.stack([shown[name][250:].any(1) for name in WIDTHS], 1)
    assert both.any(1).all()
    assert 0.3 < both.float().mean() < 0.7


def test_a_baseline_is_taken_away_and_a_short_vod_is_drawn_to_the_others() -> None:
    rng = np.random.default_rng(1)
    model = TcnModel(TcnSettings(hidden=2), {"pictures": 2})
    long = rng.normal(size=(9000, 2)) * [2, 5] + [30, -4]
    model.learn_usual("pictures", [array_baseline(long), array_baseline(np.full((50, 2), np.nan))])
    apart = model.drawn("pictures", array_baseline(long)).apply(long).astype(np.float32)
    np.testing.assert_allclose(apart.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(apart.std(0), 1, atol=0.1)
    for short in (long[:3] + 100, np.full((3, 2), np.nan)):
        drawn = model.drawn("pictures", array_baseline(short))
        np.testing.assert_allclose(drawn.mean, [30, -4], atol=3)
        np.testing.assert_allclose(drawn.deviation, [2, 5], rtol=0.1)
    assert array_baseline(long).count == 9000 > SAMPLE


def test_signals_are_named_once() -> None:
    for wrong in ("pictures,", "sound,sound", ""):
        with pytest.raises(UsageError, match=f"--signals {wrong}: name each signal once"):
            TcnSettings(signals=wrong)
