"""A statement about the queue reads no table and no column it has no use for: an index alone answers the frequent ones."""

import pytest

from services.gateway.domain.lines import WAITING
from services.gateway.store.queue import _SUMMED, Filters, _from, _where


@pytest.mark.parametrize(
    ("filters", "joined"),
    [
        (Filters(status=WAITING), set()),
        (Filters(supplier="S1", location="L1", reason="new_item"), set()),
        (Filters(category="Milk"), {"catalogue i"}),
        (Filters(owner="ann"), {"assignments a"}),
        (Filters(text="milk"), {"catalogue i", "catalogue p", "catalogue s"}),
    ],
)
def test_a_count_joins_what_its_filters_name_and_nothing_else(filters: Filters, joined: set[str]) -> None:
    assert _joined(_from(_where(filters).text)) == joined


def test_the_totals_add_the_category_to_what_their_filters_name() -> None:
    assert _joined(_from(_SUMMED, _where(Filters(owner="ann")).text)) == {"catalogue i", "assignments a"}


def _joined(text: str) -> set[str]:
    first, *joins = text.split(" left join ")
    assert first == " from lines l"
    return {join.partition(" on ")[0] for join in joins}
