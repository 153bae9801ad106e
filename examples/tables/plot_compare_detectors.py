"""
Detectors compared on shapes in the plane
=========================================

What each detector takes for normal when it has seen the gray points: dark regions are
abnormal, and the line is the threshold that calls a fiftieth of the training points
outliers. The number is the AUC of further points of the shape against points drawn
evenly from the whole square, and the time is the CPU's for the fit, on one thread.

In the plane one can look at a detector, and no more than that. A network is made for
tens or hundreds of columns that depend on each other; here, where nearest neighbors
can't be beaten, it shows where its idea of normal ends. The comparison on 21 tables is
in :doc:`/adbench`.
"""

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_blobs, make_moons
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

import skanomaly

# %%
# Two shapes
# ----------
# Two clusters of different width, and two moons. Half of the points are for training.
rng = np.random.default_rng(0)
shapes = {
    "two widths": make_blobs(
        1000, centers=[(-3, -3), (3, 3)], cluster_std=[0.4, 1.2], random_state=0
    )[0],
    "moons": make_moons(1000, noise=0.05, random_state=0)[0],
}
everywhere = rng.uniform(-3, 3, (2000, 2))

# %%
# The detectors
# -------------
# All with their defaults. Networks with a bottleneck have a code of one number here.
detectors = {
    "NearestNeighborDetector": skanomaly.NearestNeighborDetector(contamination=0.02),
    "IsolationForest": IsolationForest(contamination=0.02, random_state=0),
    "Autoencoder": skanomaly.Autoencoder(contamination=0.02, random_state=0),
    "VAE": skanomaly.VAE(contamination=0.02, random_state=0),
    "MemAE": skanomaly.MemAE(contamination=0.02, random_state=0),
    "DAGMM": skanomaly.DAGMM(contamination=0.02, random_state=0),
    "StudentTeacher": skanomaly.StudentTeacher(contamination=0.02, random_state=0),
}

# %%
# What they take for normal
# -------------------------
grid = np.stack(np.meshgrid(np.linspace(-3, 3, 60), np.linspace(-3, 3, 60)), axis=-1)
figure, axes = plt.subplots(
    len(shapes), len(detectors), figsize=(13, 4), layout="constrained"
)
for row, (shape, points) in zip(axes, shapes.items(), strict=True):
    X, X_test = np.split(StandardScaler().fit_transform(points), 2)
    labels = np.repeat([1, -1], [len(X_test), len(everywhere)])
    row[0].set_ylabel(shape)
    for ax, detector in zip(row, detectors.values(), strict=True):
        start = time.process_time()
        detector.fit(X)
        seconds = time.process_time() - start
        scores = detector.decision_function(grid.reshape(-1, 2)).reshape(60, 60)
        # By rank, as each detector has units of its own.
        ranks = scores.ravel().argsort().argsort().reshape(scores.shape)
        ax.contourf(*np.moveaxis(grid, -1, 0), ranks, levels=12, cmap="Blues_r")
        if scores.min() < 0 < scores.max():
            ax.contour(
                *np.moveaxis(grid, -1, 0), scores, levels=[0], colors="tab:orange"
            )
        ax.plot(*X.T, ".", color="0.35", markersize=1.5)
        scores = detector.score_samples(np.concatenate([X_test, everywhere]))
        auc = roc_auc_score(labels, scores)
        ax.text(0.97, 0.03, f"{auc:.2f}", transform=ax.transAxes, ha="right")
        ax.text(0.03, 0.03, f"{seconds:.1f} s", transform=ax.transAxes)
        ax.set(xticks=[], yticks=[], xlim=(-3, 3), ylim=(-3, 3))
for ax, name in zip(axes[0], detectors, strict=True):
    ax.set_title(name, fontsize="small")
