"""How any detector's network is trained and read: skorch, with whole batches."""

from .net import DetectorNet

__all__ = ["DetectorNet"]
