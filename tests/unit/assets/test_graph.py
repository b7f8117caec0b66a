from hypothesis import given
from hypothesis import strategies as st

from worker.assets.building.graph import components

GRAPHS = st.integers(1, 8).flatmap(
    lambda size: st.dictionaries(
        st.integers(0, size).map(str), st.sets(st.integers(0, size).map(str)), max_size=size
    )
)


def reachable(graph, start):
    seen, todo = set(), [start]
    while todo:
        for target in graph.get(todo.pop(), ()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


@given(GRAPHS)
def test_a_group_is_what_reaches_each_other(graph):
    groups = {node: set(group) for group in components(graph) for node in group}
    assert groups == {
        node: {node} | {it for it in reachable(graph, node) if node in reachable(graph, it)}
        for node in graph
    }


@given(GRAPHS)
def test_each_group_comes_after_what_it_refers_to(graph):
    done = set()
    for group in components(graph):
        needed = {target for node in group for target in graph[node] if target in graph}
        assert needed <= done | set(group)
        done |= set(group)


@given(GRAPHS)
def test_groups_come_sorted_inside(graph):
    assert all(list(group) == sorted(group) for group in components(graph))


def test_a_chain_of_any_depth_is_followed():
    deep = 100_000
    graph = {str(number): [str(number + 1)] for number in range(deep)}
    order = [group[0] for group in components(graph)]
    assert order == [str(number) for number in reversed(range(deep))]


def test_a_cycle_of_any_length_is_one_group():
    long = 100_000
    graph = {str(number): [str((number + 1) % long)] for number in range(long)}
    [group] = components(graph)
    assert len(group) == long
