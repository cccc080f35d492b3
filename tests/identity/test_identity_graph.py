"""Components are those networkx finds, named so that order does not matter."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from identity.graph import bipartite_components, components, smallest_members

EDGES = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 19)), max_size=60)


@given(EDGES)
def test_components_are_those_of_networkx(edges: list[tuple[int, int]]) -> None:
    left = np.array([one for one, _ in edges], np.int32)
    right = np.array([other for _, other in edges], np.int32)
    found = smallest_members(bipartite_components(left, right, 30, 20))
    graph = nx.Graph()
    graph.add_nodes_from(range(30))
    graph.add_edges_from((one, 100 + other) for one, other in edges)
    for members in nx.connected_components(graph):
        profiles = [node for node in members if node < 100]
        if profiles:
            assert set(found[profiles]) == {min(profiles)}


def test_no_nodes_have_no_components() -> None:
    nothing = np.zeros(0, np.int32)
    assert len(components(nothing, nothing, 0)) == 0
    assert len(smallest_members(nothing)) == 0


def test_a_long_chain_is_one_component() -> None:
    steps = np.arange(4_000, dtype=np.int32)
    assert set(smallest_members(components(steps, steps + np.int32(1), 4_001))) == {0}
