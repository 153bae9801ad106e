"""Ensembles of outlier detectors, and several detectors fitted in one pass."""

from ._deep import DeepEnsemble
from ._default import default_ensemble
from ._ensemble import DetectorEnsemble
from ._fit_together import fit_together

__all__ = ["DeepEnsemble", "DetectorEnsemble", "default_ensemble", "fit_together"]
