"""The distribution of scores below the lowest that was seen."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import genpareto

# The tail is fitted to this fraction of the scores, but to no fewer than this number if
# there are twice as many.
_TAIL_FRACTION, _SMALLEST_TAIL = 0.1, 10
# So that differences of scores, and their ratios, stay finite.
LARGEST = 1e100


@dataclass(frozen=True)
class Tail:
    """Generalized Pareto distribution of how far scores are below a start."""

    start: float
    lowest: float
    shape: float
    scale: float

    @classmethod
    def fit(cls, scores: np.ndarray) -> "Tail":
        """Fit the tail to the lowest of scores in ascending order."""
        n, finite = len(scores), scores.clip(-LARGEST, LARGEST)
        start = finite[int(max(_TAIL_FRACTION * n, min(_SMALLEST_TAIL, n / 2)))]
        excess = start - finite[finite < start]
        shape, scale = 0.0, excess.mean() if excess.size else abs(start) or 1.0
        if excess.size > 1:
            fitted, _, relative_scale = genpareto.fit(excess / scale, 0.1, floc=0)
            # A negative shape would end the tail, and outliers beyond its end would all
            # have a p-value of zero. An exponential tail, of shape zero, has no end.
            if fitted > 0:
                shape, scale = fitted, scale * relative_scale
        return cls(float(start), float(finite[0]), float(shape), float(scale))

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """Return that of scores as low, given one below the lowest; 1 for others."""
        scores = np.clip(scores, -LARGEST, self.lowest)
        log_sf = self.log_sf(self.start - scores) - self.log_sf(
            self.start - self.lowest
        )
        return np.maximum(np.exp(log_sf), np.finfo(np.float64).tiny)

    def score_at(self, probability: float) -> float:
        """Return the score that has a probability."""
        log_sf = np.log(probability) + self.log_sf(self.start - self.lowest)
        c = self.shape
        return self.start - self.scale * (np.expm1(-c * log_sf) / c if c else -log_sf)

    def log_sf(self, excess):
        """Return the log of the survival function; that of scipy underflows."""
        z, c = excess / self.scale, self.shape
        return -np.log1p(c * z) / c if c else -z
