"""Deep anomaly detectors that are scikit-learn estimators.

Importing the package does not import torch; a detector does when it is first named.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Where each public name lives; PEP 562 imports it when it is asked for.
_HOMES = {
    "ALAD": ".detectors.alad",
    "AnoGAN": ".detectors.anogan",
    "Autoencoder": ".detectors.autoencoder",
    "DAGMM": ".detectors.dagmm",
    "DeepEnsemble": ".ensemble",
    "DetectorEnsemble": ".ensemble",
    "EGBAD": ".detectors.egbad",
    "FAnoGAN": ".detectors.f_anogan",
    "GANomaly": ".detectors.ganomaly",
    "MemAE": ".detectors.memae",
    "NearestNeighborDetector": ".neighbors",
    "OGNet": ".detectors.ognet",
    "StudentTeacher": ".detectors.student_teacher",
    "VAE": ".detectors.vae",
    "default_ensemble": ".ensemble",
    "load": ".persistence",
    "make_tabular_pipeline": ".preprocessing",
    "save": ".persistence",
    "to_onnx": ".export",
}
_MODULES = (
    "calibration",
    "datasets",
    "ensemble",
    "export",
    "inspection",
    "metrics",
    "model_selection",
    "neighbors",
    "out_of_core",
    "persistence",
    "preprocessing",
    "video",
)

__all__ = [
    "ALAD",
    "DAGMM",
    "EGBAD",
    "VAE",
    "AnoGAN",
    "Autoencoder",
    "DeepEnsemble",
    "DetectorEnsemble",
    "FAnoGAN",
    "GANomaly",
    "MemAE",
    "NearestNeighborDetector",
    "OGNet",
    "StudentTeacher",
    "default_ensemble",
    "load",
    "make_tabular_pipeline",
    "save",
    "to_onnx",
]

if TYPE_CHECKING:
    from .detectors.alad import ALAD
    from .detectors.anogan import AnoGAN
    from .detectors.autoencoder import Autoencoder
    from .detectors.dagmm import DAGMM
    from .detectors.egbad import EGBAD
    from .detectors.f_anogan import FAnoGAN
    from .detectors.ganomaly import GANomaly
    from .detectors.memae import MemAE
    from .detectors.ognet import OGNet
    from .detectors.student_teacher import StudentTeacher
    from .detectors.vae import VAE
    from .ensemble import DeepEnsemble, DetectorEnsemble, default_ensemble
    from .export import to_onnx
    from .neighbors import NearestNeighborDetector
    from .persistence import load, save
    from .preprocessing import make_tabular_pipeline


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__, *_MODULES})
