"""What the tables of images have in common: terms of scores, AUCs and their means."""

import time

import numpy as np
from _report import note, print_table
from sklearn.metrics import roc_auc_score

# Detectors whose score is more than the error of the reconstruction, or something else:
# the power of the absolute error that stands beside it.
ERROR_POWERS = {
    "EGBAD": 1,
    "ALAD": 1,
    "AnoGAN": 1,
    "GANomaly": 1,
    "FAnoGAN": 2,
    "OGNet": 2,
}


HEADER = (
    "detector",
    "AUC",
    "smallest",
    "ms an image",
    "images a second",
    "items active",
)


def score_terms(detector, X):
    """Yield the scores of a fitted detector, and those by its error alone."""
    yield "", detector.score_samples(X)
    power = ERROR_POWERS.get(type(detector).__name__)
    if power:
        residual = np.abs(X - detector.reconstruct(X))
        yield ", error alone", -(residual**power).sum(axis=(1, 2, 3))


def standardize_images(X):
    """Give each image mean 0 and standard deviation 1, so that contrast does not count.

    The squared error grows with an image's contrast: without this, flat images look
    normal whatever they show.
    """
    axes = tuple(range(1, X.ndim))
    std = X.std(axis=axes, keepdims=True)
    return (X - X.mean(axis=axes, keepdims=True)) / np.maximum(std, 0.01)


class ImageTable:
    """AUCs and times of detectors, over classes and seeds."""

    def __init__(self):
        self.aucs, self.milliseconds, self.active_items = {}, {}, {}

    def add(self, label, name, detector, X_test, y_test):
        """Score the test part by each term of the score of a fitted detector."""
        start = time.perf_counter()
        for term, scores in score_terms(detector, X_test):
            seconds = time.perf_counter() - start
            auc = roc_auc_score(y_test, scores)
            self.aucs.setdefault(name + term, []).append(auc)
            if not term:
                milliseconds = 1000 * seconds / len(X_test)
                self.milliseconds.setdefault(name, []).append(milliseconds)
            note(f"{label} {name + term:<36} AUC {auc:.4f}")
        if hasattr(detector, "mean_active_items_"):
            n_active = detector.mean_active_items_
            self.active_items.setdefault(name, []).append(n_active)

    def print(self, title):
        """Print means, standard deviations, the smallest AUC and the shortest time."""
        rows = []
        for name, aucs in self.aucs.items():
            std = np.std(aucs, ddof=1) if len(aucs) > 1 else np.nan
            row = [name, f"{np.mean(aucs):.3f} ± {std:.3f}", f"{min(aucs):.3f}"]
            if name in self.milliseconds:
                shortest = min(self.milliseconds[name])
                row += [f"{shortest:.2f}", f"{1000 / shortest:.0f}"]
            if name in self.active_items:
                row.append(f"{np.mean(self.active_items[name]):.0f}")
            rows.append(row + [""] * (len(HEADER) - len(row)))
        print_table(title, HEADER, rows)
