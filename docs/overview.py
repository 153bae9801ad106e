"""Make the picture of the README and of the first page: ``python docs/overview.py``.

Scores of tumors with a threshold, reasons for one row of a table, and maps of digits.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.calibration import ConformalDetector
from skanomaly.datasets import load_breast_cancer, load_digits
from skanomaly.inspection import AnomalyMapDisplay, ReasonsDisplay, ScoreDisplay

figure, (scores, reasons, maps) = plt.subplots(
    1, 3, figsize=(13, 3.4), layout="constrained", width_ratios=[1, 1, 0.9]
)

# Half of the benign tumors train; at most a twentieth of new ones are false alarms.
cancer = load_breast_cancer()
benign = np.flatnonzero(cancer.target == 1)
held_out = np.setdiff1d(np.arange(len(cancer.target)), benign[::2])
detector = ConformalDetector(
    make_tabular_pipeline(Autoencoder(random_state=0)), alpha=0.05, random_state=0
).fit(cancer.data[benign[::2]])
ScoreDisplay.from_estimator(
    detector, cancer.data[held_out], cancer.target[held_out], ax=scores
)
scores.set_title("Scores, and a threshold that holds")

# Orders whose total follows from price and quantity; one is wrong.
rng = np.random.default_rng(0)
orders = pd.DataFrame(
    {
        "country": rng.choice(["DE", "FR", "GB"], 2000),
        "price": rng.lognormal(3, 0.5, 2000).round(2),
        "quantity": rng.integers(1, 6, 2000),
    }
)
orders["currency"] = orders["country"].map({"DE": "EUR", "FR": "EUR", "GB": "GBP"})
orders["total"] = (orders["price"] * orders["quantity"]).round(2)
wrong = orders.tail(1).assign(country="GB", currency="EUR")
detector = make_tabular_pipeline(Autoencoder(random_state=0)).fit(orders)
ReasonsDisplay.from_estimator(detector, wrong, top=4, ax=reasons)
reasons.set_title("Reasons, in the columns of the table")

# Zeros are normal; the second row has a stroke that doesn't belong there.
digits = load_digits(normal_class=0)
zeros = digits.data[digits.target == 1]
shown = zeros[-6:].copy()
shown[3:, :, 3, 2:6] = 1
detector = Autoencoder(
    activation="relu", latent_size=8, batch_size=16, max_epochs=80, random_state=0
).fit(zeros[:-6])
AnomalyMapDisplay.from_estimator(detector, shown, n_columns=3, ax=maps)
maps.set_title("Maps: where an image is abnormal", pad=14)

figure.savefig(Path(__file__).parent / "_static" / "overview.png", dpi=110)
