"""Why samples are abnormal, and pictures of scores, maps and training."""

from ._explain import explain
from ._plot._history import HistoryDisplay
from ._plot._maps import AnomalyMapDisplay
from ._plot._prototypes import PrototypesDisplay
from ._plot._reasons import ReasonsDisplay
from ._plot._reconstructions import ReconstructionDisplay
from ._plot._scores import ScoreDisplay
from ._report import report

__all__ = [
    "AnomalyMapDisplay",
    "HistoryDisplay",
    "PrototypesDisplay",
    "ReasonsDisplay",
    "ReconstructionDisplay",
    "ScoreDisplay",
    "explain",
    "report",
]
