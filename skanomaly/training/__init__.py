"""How a `DetectorModule` is trained: skorch underneath, phase by phase."""

from .data import Data
from .net import DetectorNet
from .phases import train
from .random import Streams

__all__ = ["Data", "DetectorNet", "Streams", "train"]
