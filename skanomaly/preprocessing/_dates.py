"""Encoding of dates."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._numbers import NumberEncoder, deviations_of_unseen

SECONDS_A_DAY = 86400
# What repeats: the unit in seconds, how many make a cycle, and where it starts. The
# first day of 1970 was a Thursday.
CYCLES = {"hour": (3600, 24, 0), "weekday": (SECONDS_A_DAY, 7, 3)}


class DateEncoder(TransformerMixin, BaseEstimator):
    """Days since the median date, and hour and weekday as points on a circle.

    An hour or a weekday of which there are few has an indicator, as a circle has no
    place for what is rare. What is the same in all training samples is left out.
    """

    def __init__(self, min_frequency):
        self.min_frequency = min_frequency

    def fit(self, X, y=None):
        """Find the median date, the cycles that vary, and their rare phases."""
        self.n_features_in_ = X.shape[1]
        self.days_ = NumberEncoder(take_logarithms=False).fit(X / SECONDS_A_DAY)
        # Position, name, which phases are rare, value of the indicator.
        self.cycles_ = []
        for position, seconds in enumerate(X.T):
            seconds = seconds[~np.isnan(seconds)]
            for name, (_, length, _) in CYCLES.items():
                phases = _phase(seconds, name)
                if len(phases) and np.ptp(phases) > 0:
                    counts = np.bincount(phases.astype(int), minlength=length)
                    is_rare = counts < self.min_frequency * len(phases)
                    is_unseen = not counts[is_rare].any()
                    value = deviations_of_unseen(len(phases)) if is_unseen else 1.0
                    self.cycles_.append((position, name, is_rare.tolist(), value))
        return self

    def transform(self, X):
        """Return float32 parts of the dates."""
        check_is_fitted(self)
        parts = [self.days_.transform(X / SECONDS_A_DAY)]
        for position, name, is_rare, value in self.cycles_:
            seconds = X[:, position]
            phase = _phase(np.where(np.isnan(seconds), 0, seconds), name)
            angle = 2 * np.pi * phase / CYCLES[name][1]
            rare = np.where(np.asarray(is_rare)[phase.astype(int)], value, 0)
            part = np.column_stack([np.sin(angle), np.cos(angle), rare])
            # The center of the circle, where no date is.
            part[np.isnan(seconds)] = 0
            parts.append(part.astype(np.float32))
        return np.hstack(parts)

    def inverse_transform(self, X):
        """Return seconds from the days."""
        n_days = len(self.days_.source_)
        return self.days_.inverse_transform(X[:, :n_days]) * SECONDS_A_DAY

    @property
    def source_(self):
        """Which input each output is made from."""
        positions = [position for position, *_ in self.cycles_]
        return np.concatenate([self.days_.source_, np.repeat(positions, 3)]).astype(int)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the parts."""
        names = np.asarray(input_features, dtype=object)
        parts = [
            f"{names[position]}_{name}_{part}"
            for position, name, *_ in self.cycles_
            for part in ("sin", "cos", "rare")
        ]
        days = self.days_.get_feature_names_out(names + "_days")
        return np.concatenate([days, np.array(parts, dtype=object)])


def _phase(seconds, name):
    """Return where in its cycle a date is, from 0 to the length of the cycle."""
    unit, length, start = CYCLES[name]
    phase = seconds / unit
    if name == "weekday":  # a day as a whole
        phase = np.floor(phase)
    return (phase + start) % length
