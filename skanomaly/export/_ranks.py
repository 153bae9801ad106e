"""Ranks of scores among those of held-out samples: p-values and their logarithms."""

import numpy as np

from skanomaly.calibration import ConformalDetector
from skanomaly.calibration._tail import LARGEST, Tail
from skanomaly.ensemble._scale import PValueScale

from ._graph import Graph


def count_at_most(graph: Graph, sorted_values: np.ndarray, x: str) -> str:
    """Count for each number the sorted values that are at most as large.

    A binary search that is written out: `numpy.searchsorted` with ``side="right"``.
    """
    n_values = len(sorted_values)
    size = 1 << n_values.bit_length()
    padded = np.full(size, np.inf)
    padded[:n_values] = sorted_values
    count = graph.constant(np.int64(0))
    while size > 1:
        size //= 2
        more = graph.add("Add", count, np.int64(size))
        last = graph.add("Gather", padded, graph.add("Sub", more, np.int64(1)))
        is_low = graph.add("LessOrEqual", last, x)
        count = graph.add("Where", is_low, more, count)
    return count


def p_values(conformal: ConformalDetector, graph: Graph, scores: str) -> str:
    """Return conformal p-values of scores."""
    held_out = conformal.calibration_scores_
    n_lower = graph.cast(count_at_most(graph, held_out, scores), np.float64)
    counted = graph.add("Add", n_lower, np.float64(1))
    found = graph.add("Div", counted, np.float64(len(held_out) + 1))
    if conformal._tail is None:
        return found
    return graph.add("Mul", found, _tail_probability(conformal._tail, graph, scores))


def _tail_probability(tail: Tail, graph: Graph, scores: str) -> str:
    """Return the probability of scores below the lowest; 1 for others."""
    clipped = graph.add("Clip", scores, np.float64(-LARGEST), np.float64(tail.lowest))
    excess = graph.add("Sub", np.float64(tail.start), clipped)
    z = graph.add("Div", excess, np.float64(tail.scale))
    if tail.shape:
        z = graph.add("Add", graph.add("Mul", z, np.float64(tail.shape)), np.float64(1))
        z = graph.add("Div", graph.add("Log", z), np.float64(tail.shape))
    log_sf = graph.add("Neg", z)
    of_lowest = np.float64(tail.log_sf(tail.start - tail.lowest))
    probability = graph.add("Exp", graph.add("Sub", log_sf, of_lowest))
    return graph.add("Max", probability, np.finfo(np.float64).tiny)


def minus_log_p(scale: PValueScale, graph: Graph, scores: str) -> str:
    """Return -log p of scores on the scale of an ensemble's member."""
    abnormality = graph.add("Neg", scores)
    knots, values = np.asarray(scale.knots, float), np.asarray(scale.values, float)
    lowest, start = knots[0], knots[-1]
    if len(knots) == 1:
        body = graph.constant(values[0])
    else:
        x = graph.add("Clip", abnormality, lowest, start)
        slopes = np.diff(values) / np.diff(knots)
        n_lower = count_at_most(graph, knots[1:-1], x)
        step = graph.add("Sub", x, graph.add("Gather", knots, n_lower))
        rise = graph.add("Mul", step, graph.add("Gather", slopes, n_lower))
        body = graph.add("Add", graph.add("Gather", values, n_lower), rise)
    zero, tail_mean = np.float64(0), np.float64(scale.tail_mean)
    above = graph.add("Max", graph.add("Sub", abnormality, start), zero)
    below = graph.add("Min", graph.add("Sub", abnormality, lowest), zero)
    tail = graph.add("Div", above, tail_mean)
    below = graph.add("Div", below, tail_mean * (scale.n_held_out + 1))
    return graph.add("Add", graph.add("Add", body, tail), below)
