"""Ensembles of outlier detectors, combined on the scale of held-out p-values."""

from ._default import default_ensemble
from ._ensemble import DetectorEnsemble

__all__ = ["DetectorEnsemble", "default_ensemble"]
