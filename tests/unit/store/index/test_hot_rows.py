"""Which analysed rows are kept."""

from lumikb.store.index.analysis import AnalysedRow, Analysis, LexicalRow
from lumikb.store.index.hot_rows import HotRows

ANALYSIS = Analysis()


def row(key: int, text: str = "words") -> AnalysedRow:
    return ANALYSIS.row(LexicalRow(key, "kb", "doc", text))


def test_rows_that_were_not_used_for_longest_go_first() -> None:
    hot = HotRows(rows_kept=2)
    hot.put([row(1), row(2)])
    assert hot.get([1]) == ([row(1)], [])
    hot.put([row(3)])
    assert hot.get([1, 2, 3]) == ([row(1), row(3)], [2])


def test_a_row_is_replaced_and_forgotten() -> None:
    hot = HotRows()
    hot.put([row(1), row(2), row(3)])
    hot.put([row(1, "other words")])
    hot.forget([2, 9])
    assert hot.get([1, 2, 3]) == ([row(1, "other words"), row(3)], [2])
    hot.clear()
    assert hot.get([1, 3]) == ([], [1, 3])
