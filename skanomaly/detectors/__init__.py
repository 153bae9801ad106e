"""The detectors, one file a paper."""

from .alad import ALAD
from .anogan import AnoGAN
from .autoencoder import Autoencoder
from .egbad import EGBAD
from .f_anogan import FAnoGAN
from .ganomaly import GANomaly
from .memae import MemAE
from .ognet import OGNet
from .student_teacher import StudentTeacher
from .vae import VAE

__all__ = [
    "ALAD",
    "EGBAD",
    "VAE",
    "AnoGAN",
    "Autoencoder",
    "FAnoGAN",
    "GANomaly",
    "MemAE",
    "OGNet",
    "StudentTeacher",
]
