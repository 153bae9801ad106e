"""Choosing between detectors, with labelled outliers or without labels."""

from ._detector import NoveltyDetector
from ._search import NoveltySearchCV
from ._split import NoveltySplit
from ._synthetic import make_synthetic_outliers, synthetic_outlier_scorer

__all__ = [
    "NoveltyDetector",
    "NoveltySearchCV",
    "NoveltySplit",
    "make_synthetic_outliers",
    "synthetic_outlier_scorer",
]
