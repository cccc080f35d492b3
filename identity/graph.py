"""Connected components of a graph between two kinds of nodes, in array code.

Nodes are numbers from 0; strings are numbered before (:mod:`identity.numbering`). SciPy's components are linear in the
edges whatever their shape: neither long chains nor hubs slow them down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["bipartite_components", "components", "smallest_members"]

Numbers = NDArray[np.int32]


def components(left: Numbers, right: Numbers, nodes: int) -> Numbers:
    """Number the connected components of an undirected graph.

    Args:
        left: one end of every edge.
        right: the other end, same length.
        nodes: how many nodes there are; those without edges are components of their own.

    Returns:
        For each node the number of its component, from 0, in no particular order.
    """
    if nodes == 0:
        return np.zeros(0, np.int32)
    # Doubles, although nobody looks at them: SciPy would turn anything else into doubles beside the original.
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(nodes, nodes))
    _, labels = connected_components(graph.tocsr(), directed=False)
    return np.asarray(labels, np.int32)


def bipartite_components(left: Numbers, right: Numbers, left_nodes: int, right_nodes: int) -> Numbers:
    """Components of the left nodes when an edge joins a left node with a right one (profile with value)."""
    shifted = right.astype(np.int32, copy=True)
    shifted += left_nodes
    return components(left, shifted, left_nodes + right_nodes)[:left_nodes]


def smallest_members(labels: Numbers) -> Numbers:
    """Rename every component to its smallest member, which does not depend on the order components were found in."""
    smallest = np.full(int(labels.max(initial=-1)) + 1, len(labels), np.int32)
    np.minimum.at(smallest, labels, np.arange(len(labels), dtype=np.int32))
    return smallest[labels]
