"""The scale of held-out p-values, on which detectors are combined."""

from dataclasses import dataclass

import numpy as np

# The tail beyond the held-out scores is fitted to this fraction of them, but to no
# fewer than this number if there are twice as many.
_TAIL_FRACTION, _SMALLEST_TAIL = 0.1, 10


@dataclass(frozen=True)
class PValueScale:
    """The increasing map of abnormality to -log p, by that of held-out rows."""

    knots: np.ndarray
    values: np.ndarray
    tail_mean: float
    n_held_out: int

    @classmethod
    def fit(cls, held_out: np.ndarray) -> "PValueScale":
        """Take the empirical distribution, and fit its tail."""
        n = len(held_out)
        knots, counts = np.unique(held_out, return_counts=True)
        n_not_lower = counts[::-1].cumsum()[::-1]
        values = -np.log((1 + n_not_lower) / (n + 1))
        n_tail = max(_TAIL_FRACTION * n, min(_SMALLEST_TAIL, n / 2))
        n_body = max(int(np.sum(n_not_lower - counts >= n_tail)), 1)
        start = knots[n_body - 1]
        excess = held_out[held_out > start] - start
        tail_mean = excess.mean() if excess.size else abs(start) or 1.0
        return cls(knots[:n_body], values[:n_body], tail_mean, n)

    def __call__(self, abnormality: np.ndarray) -> np.ndarray:
        """Return -log p of each sample."""
        lowest, start = self.knots[[0, -1]]
        body = np.interp(abnormality, self.knots, self.values)
        tail = np.maximum(abnormality - start, 0) / self.tail_mean
        # What is more normal than all held-out rows has p = 1; a slope that is next to
        # nothing ranks it.
        below = np.minimum(abnormality - lowest, 0) / self.tail_mean
        return body + tail + below / (self.n_held_out + 1)
