"""Torch networks that know their losses, phases and score; only torch is needed."""

from .backbones import make_decoder, make_encoder
from .module import DetectorModule
from .phase import Phase
from .reconstruction import ReconstructionModule

__all__ = [
    "DetectorModule",
    "Phase",
    "ReconstructionModule",
    "make_decoder",
    "make_encoder",
]
