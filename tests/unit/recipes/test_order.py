"""Participants take their turn after those they name."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.domain.recipe import parse
from app.domain.recipe_rules import circle, in_order


def test_participants_follow_those_they_come_after_and_otherwise_stay_as_written() -> None:
    recipe = parse("""
name: site
participants:
- {name: search, after: [tables], created: [{name: a, run: b}]}
- {name: mail, created: [{name: a, run: b}]}
- {name: tables, created: [{name: a, run: b}]}
- {name: cache, created: [{name: a, run: b}]}
start: {run: x}
check: {}
""")
    names = [participant.name for participant in recipe.participants_in_order()]
    assert names == ["mail", "tables", "search", "cache"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1))
    return {name: draw(st.lists(st.sampled_from(names), unique=True)) for name in names}


@given(graphs())
def test_every_graph_has_either_an_order_or_a_circle(after: dict[str, list[str]]) -> None:
    order, chain = in_order(after), circle(after)
    assert (len(order) == len(after)) is not bool(chain)
    for place, name in enumerate(order):
        assert set(after[name]) <= set(order[:place])
    for name, following in pairwise(chain):
        assert following in after[name]
    assert not chain or chain[0] == chain[-1]


def test_a_long_chain_and_a_long_circle_end_within_the_time_of_any_test() -> None:
    """In steps that grow with the square of 20,000 they would not."""
    names = [f"p{number}" for number in range(20_000)]
    chain: dict[str, list[str]] = {name: [after] for name, after in pairwise(names)} | {
        names[-1]: []
    }
    assert in_order(chain) == names[::-1]
    assert circle(chain) == []
    assert circle(chain | {names[-1]: [names[0]]}) == [*names, names[0]]
