"""The order in which files get their names: what a file refers to comes before it."""

from collections.abc import Collection, Iterator, Mapping


def components(refers_to: Mapping[str, Collection[str]]) -> Iterator[tuple[str, ...]]:
    """Groups of files, leaves first; those of one group reach each other, and come sorted.

    A group of one is an ordinary file, unless it refers to itself. What is no key of the mapping
    is a leaf and has no group.
    """
    search = _Search(refers_to)
    for file in refers_to:
        yield from search.groups(file)


def levels(refers_to: Mapping[str, Collection[str]]) -> list[list[tuple[str, ...]]]:
    """The groups of `components`, those together that wait for the same number of others.

    No group refers to another one of its level.
    """
    level_of: dict[str, int] = {}
    found: list[list[tuple[str, ...]]] = []
    for group in components(refers_to):
        targets = {target for file in group for target in refers_to[file]} - {*group}
        level = max((level_of[target] + 1 for target in targets & level_of.keys()), default=0)
        level_of.update(dict.fromkeys(group, level))
        if level == len(found):
            found.append([])
        found[level].append(group)
    return found


class _Search:
    """Tarjan's algorithm with a stack of its own: no depth is too deep."""

    def __init__(self, refers_to: Mapping[str, Collection[str]]) -> None:
        self._refers_to = refers_to
        self._order: dict[str, int] = {}
        self._lowest: dict[str, int] = {}
        #: Visited, and in no group yet.
        self._open: dict[str, None] = {}
        self._todo: list[tuple[str, Iterator[str]]] = []

    def groups(self, root: str) -> Iterator[tuple[str, ...]]:
        if root not in self._order:
            self._enter(root)
        while self._todo:
            node, targets = self._todo[-1]
            fresh = next((target for target in targets if self._is_fresh(node, target)), None)
            if fresh is not None:
                self._enter(fresh)
            elif group := self._leave(node):
                yield group

    def _enter(self, node: str) -> None:
        self._order[node] = self._lowest[node] = len(self._order)
        self._open[node] = None
        self._todo.append((node, iter(self._refers_to[node])))

    def _is_fresh(self, node: str, target: str) -> bool:
        """Whether the target is to be visited; a visited one may show that both are in a cycle."""
        if target in self._open:
            self._lowest[node] = min(self._lowest[node], self._order[target])
        return target in self._refers_to and target not in self._order

    def _leave(self, node: str) -> tuple[str, ...]:
        """The group that is complete with this file, if one is."""
        self._todo.pop()
        if self._todo:
            parent = self._todo[-1][0]
            self._lowest[parent] = min(self._lowest[parent], self._lowest[node])
        if self._lowest[node] != self._order[node]:
            return ()
        group = [self._open.popitem()[0]]
        while group[-1] != node:
            group.append(self._open.popitem()[0])
        return tuple(sorted(group))
