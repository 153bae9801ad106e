"""Training and scoring of data larger than memory, in one process or in many."""

from skanomaly._sources import open_source

from ._fit_batches import fit_batches
from ._score_batches import score_batches
from ._score_frame import score_frame

__all__ = ["fit_batches", "open_source", "score_batches", "score_frame"]
