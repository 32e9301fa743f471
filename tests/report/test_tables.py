"""Tables of the page: which figures stand in them."""

from dataclasses import replace

from lolhl.evaluate.figures import Bin, Reliability
from lolhl.report.tables import model_table, reliability_table
from tests.results import MODEL_FIGURES


def test_figures_of_chunks_that_were_learnt_beside_are_not_shown_as_the_models() -> None:
    for holdout in ("chunks", None):
        table = model_table("kills", replace(MODEL_FIGURES, holdout=holdout))
        assert table.rows == ()
        assert "does not say how good it is" in table.note
        assert "`lolhl compare kills`" in table.note


def test_figures_of_whole_vods_stand_beside_those_that_know_nothing() -> None:
    table = model_table("kills", replace(MODEL_FIGURES, holdout="vods"))
    assert [row[0] for row in table.rows] == ["model", "constant answer", "random ranking"]
    assert table.rows[0][1] == "0.71 (0.60–0.80)"
    assert "did not learn from" in table.note


def test_what_probabilities_mean() -> None:
    table = reliability_table(Reliability(0.04, 0.21, [Bin(0, 0.1, 900, 0.03, 0.05), Bin(0.7, 0.8, 20, 0.74, 0.5)]))
    assert table.rows == (("0 to 10 %", "900", "3 %", "5 %"), ("70 to 80 %", "20", "74 %", "50 %"))
    assert "off by 4 points" in table.note
    assert "before calibration by 21" in table.note
