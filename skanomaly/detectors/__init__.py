"""The detectors, one file a paper."""

from .autoencoder import Autoencoder
from .vae import VAE

__all__ = ["VAE", "Autoencoder"]
