"""Which of the held-out scores is a threshold that keeps a false-alarm rate."""

import math

import numpy as np
from scipy.stats import binom


def find_rank(alpha, n_held_out, confidence=None):
    """Return k: the k-th lowest score is the threshold; 0 if there is none."""
    if confidence is None:
        # Computed as p-values are, since floor(alpha * (n + 1)) can round to less.
        levels = np.arange(1, n_held_out + 1) / (n_held_out + 1)
        return int(np.searchsorted(levels, alpha, side="right"))
    # At rank k the rate has the distribution Beta(k, n + 1 - k). It is at most alpha
    # with the probability that at least k of n uniform numbers are.
    return int(binom.ppf(1 - confidence, n_held_out, alpha))


def n_needed(alpha, confidence=None):
    """Return the smallest number of held-out samples that have a threshold."""
    if confidence is None:
        return math.ceil(1 / alpha) - 1
    return math.ceil(math.log1p(-confidence) / math.log1p(-alpha))


def explain_too_few(alpha, n_held_out, confidence=None):
    """Say that there is no threshold, and what the smallest possible alpha is."""
    smallest = f"1 / {n_held_out + 1}"
    promise = f"alpha={alpha}"
    if confidence is not None:
        exact = -math.expm1(math.log1p(-confidence) / n_held_out)
        smallest = f"{math.ceil(exact * 1e4) / 1e4:.4f}"
        promise += f" with confidence={confidence}"
    return (
        f"{promise} needs at least {n_needed(alpha, confidence)} held-out samples, got "
        f"{n_held_out}: with fewer, no sample can be predicted to be an outlier. The "
        f"smallest possible alpha is {smallest}."
    )
