"""Conformal p-values, and thresholds with a guaranteed false-alarm rate."""

from ._conformal import ConformalDetector

__all__ = ["ConformalDetector"]
