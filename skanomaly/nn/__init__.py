"""Torch networks that know their losses and their score; only torch is needed."""

from .backbones import make_decoder, make_encoder
from .module import DetectorModule

__all__ = ["DetectorModule", "make_decoder", "make_encoder"]
