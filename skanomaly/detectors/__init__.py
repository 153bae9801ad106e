"""The detectors, one file a paper."""

from .autoencoder import Autoencoder
from .memae import MemAE
from .vae import VAE

__all__ = ["VAE", "Autoencoder", "MemAE"]
