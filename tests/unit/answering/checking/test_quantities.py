"""Numbers as values, whatever they are written like."""

import pytest

from lumikb.answering.checking.quantities import same
from lumikb.answering.checking.sentences import Sentence


def agree(claimed: str, given: str) -> bool:
    theirs = Sentence(given).quantities
    ours = Sentence(claimed).quantities
    assert ours
    return all(any(same(one, other) for other in theirs) for one in ours)


@pytest.mark.parametrize(
    ("claimed", "given"),
    [
        ("1,000 men", "1000 men"),
        ("1.000 Menschen", "one thousand people"),
        ("1 000 men", "1'000 men"),
        ("EUR 3.2 billion", "\u20ac3,200 million"),
        ("3,5 Mio. Euro", "3.500.000,00 \u20ac"),
        ("12 %", "twelve per cent"),
        ("two weeks", "14 days"),
        ("2 years", "24 Monate"),
        ("half an hour", "30 minutes"),
        ("15 minutes", "a quarter of an hour"),
        ("1.5 km", "1500 metres"),
        ("10 to 15 days", "between ten and fifteen days"),
        ("twenty-one copies", "21 copies"),
        ("einundzwanzig Tage", "21 days"),
        ("about 770 mm", "773 mm"),
        ("a fifth of it", "20 % of it"),
        ("1.2 x 10^6 cells", "1,200,000 cells"),
        ("the 1940s", "in 1943"),
        ("the 18th century", "in 1705"),
        ("$1.5m", "1.5 million dollars"),
        ("two hundred and fifty", "250"),
    ],
)
def test_the_same_value_in_other_clothes(claimed: str, given: str) -> None:
    assert agree(claimed, given)


@pytest.mark.parametrize(
    ("claimed", "given"),
    [
        ("1,500 men", "1,050 men"),
        ("5 kg", "5 g"),
        ("10 days", "10 weeks"),
        ("$5", "5 euros"),
        ("12 %", "21 %"),
        ("about 9 metres", "about 4 metres"),
        ("-5 \u00b0C", "5 \u00b0C"),
        ("3 million", "3 thousand"),
        ("the 17th century", "in 1705"),
    ],
)
def test_another_value_or_another_unit(claimed: str, given: str) -> None:
    assert not agree(claimed, given)


def test_codes_dates_and_times_are_no_quantities() -> None:
    assert Sentence("RFC 7807, v2.3.1 and FX-220 since 5 March 2024, 14:30.").quantities == []
