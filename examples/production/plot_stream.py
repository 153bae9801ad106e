"""
A stream that drifts
====================

Normal changes: machines wear, customers move, software is updated. A detector that was
fitted once calls more and more of it outliers. ``partial_fit`` trains on each chunk as
it comes, and sets the threshold anew.
"""

# %%
# Rows near a surface that moves
# ------------------------------
# Thirty chunks of 500 rows. The mean moves, slowly, and in the end farther than
# outliers are from the surface.
import numpy as np

rng = np.random.default_rng(0)
axes, direction = rng.normal(size=(3, 20)), rng.normal(size=20)
direction /= np.linalg.norm(direction)


def draw(n_rows, n_chunk, distance):
    """Draw rows near the surface as it is by then."""
    rows = rng.normal(size=(n_rows, 3)) @ axes + 0.05 * n_chunk * direction
    return rows + distance * rng.normal(size=rows.shape)


chunks = [draw(500, n, 0.1) for n in range(30)]
outliers = [draw(500, n, 0.3) for n in range(30)]

# %%
# First tested, then trained on
# -----------------------------
# Each chunk is new when it is scored. The first call decides what rows look like, and
# later ones are checked against it. Both networks are to call one normal row in twenty
# an outlier.
import pandas as pd

from skanomaly import Autoencoder

settings = {"latent_size": 3, "contamination": 0.05, "random_state": 0}
fitted_once = Autoencoder(early_stopping=True, **settings).fit(chunks[0])
goes_on = Autoencoder(early_stopping=True, **settings).fit(chunks[0])
found = []
for n, (X, X_out) in enumerate(zip(chunks[1:], outliers[1:], strict=True), 2):
    for name, detector in {"fit": fitted_once, "partial_fit": goes_on}.items():
        false_alarms, hits = ((detector.predict(x) == -1).mean() for x in (X, X_out))
        found.append((n, name, false_alarms, hits))
    goes_on.partial_fit(X)
columns = ["chunk", "detector", "false alarms", "outliers found"]
found = pd.DataFrame(found, columns=columns)
found.groupby("detector")[["false alarms", "outliers found"]].mean().round(3)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(8, 3.5), sharex=True, layout="constrained")
for ax, column in zip(axes, columns[2:], strict=True):
    for name, rows in found.groupby("detector"):
        ax.plot(rows["chunk"], rows[column], label=name)
    ax.set(xlabel="chunk", ylabel=column, ylim=(-0.02, 1.02))
axes[0].axhline(0.05, color="black", linestyle="--", label="asked for")
_ = axes[0].legend()

# %%
# The threshold comes from held-out rows
# --------------------------------------
# A tenth of each chunk is not trained on and enters the ``reservoir_``, a sample of the
# stream in which recent rows are more likely. After each call its rows are scored by
# the network as it is by then, and ``offset_`` is their quantile.
#
# The sample is of the last chunks, too, and their rows are farther from the surface as
# it is by now. So the threshold is on the low side where normal drifts: there are fewer
# false alarms than asked for, and some of the outliers, which are close to the surface
# here, are missed.
goes_on.reservoir_.shape, goes_on.n_samples_seen_, round(goes_on.offset_, 3)

# %%
# A table in real life is harder: ``python examples/kddcup99_stream.py`` follows the
# connections of KDD Cup 1999 in their own order.
