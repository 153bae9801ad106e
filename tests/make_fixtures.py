"""Save small estimators of each kind, which later versions must load.

    python tests/make_fixtures.py

writes ``tests/fixtures/<version>``: a file each, and samples with their scores. Run it
once for each version that is published, and keep the folders of those before.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from helpers import all_detectors, make_detector, make_samples
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skanomaly
from skanomaly.calibration import ConformalDetector
from skanomaly.model_selection import NoveltyDetector

FOLDER = Path(__file__).parent / "fixtures"
TINY = {"hidden_sizes": (4,), "latent_size": 2, "max_epochs": 2, "random_state": 0}


def estimators():
    """Yield name, estimator and samples of each kind."""
    rows = make_samples((3,))
    for cls in all_detectors():
        yield cls.__name__, make_detector(cls, **TINY), rows
    for kind, shape in {"images": (1, 4, 4), "clips": (1, 2, 4, 4)}.items():
        yield kind, make_detector(skanomaly.MemAE, **TINY), make_samples(shape)
    neighbors = skanomaly.NearestNeighborDetector(max_samples=20, random_state=0)
    tiny = skanomaly.Autoencoder(**TINY)
    yield "neighbors", neighbors, rows
    yield "ensemble", skanomaly.DetectorEnsemble([("a", neighbors), ("b", tiny)]), rows
    yield "novelty", make_pipeline(StandardScaler(), NoveltyDetector(tiny)), rows
    table = [[*row, "abc"[n % 3]] for n, row in enumerate(rows[:, :1].tolist())]
    pipeline = skanomaly.make_tabular_pipeline(tiny)
    yield "table", ConformalDetector(pipeline, random_state=0, tail="pareto"), table


def main():
    """Fit and save all of them."""
    folder = FOLDER / skanomaly.__version__.split(".dev")[0]
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, estimator, X in estimators():
        X = np.array(X, dtype=object) if isinstance(X, list) else X
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(X)
        skanomaly.save(estimator, folder / f"{name}.skops")
        scores = estimator.score_samples(X[:3])
        expected[name] = {"X": X[:3].tolist(), "scores": scores.tolist()}
    text = json.dumps(expected, indent=1)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
