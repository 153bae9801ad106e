"""Evaluation of anomaly scores and anomaly maps, for labels in any coding.

scikit-learn's detectors, and these, label outliers -1 and give them *low* scores;
most benchmarks label them 1. With labels of the second coding ``scoring="roc_auc"``
silently selects the worst detector. `outlier_scorer` handles both.
"""

from ._labels import is_outlier
from ._plot import DetCurveDisplay, PrecisionRecallDisplay, RocCurveDisplay
from ._ranking import precision_recall_f1_at
from ._regions import per_region_overlap
from ._scorer import outlier_scorer

__all__ = [
    "DetCurveDisplay",
    "PrecisionRecallDisplay",
    "RocCurveDisplay",
    "is_outlier",
    "outlier_scorer",
    "per_region_overlap",
    "precision_recall_f1_at",
]
