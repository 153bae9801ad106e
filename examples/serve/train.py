"""Fit a detector of orders, and save it for the service.

    python examples/serve/train.py orders.skops

writes ``orders.csv``, the table, beside it.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import skanomaly
from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.calibration import ConformalDetector


def make_orders(n_rows, seed):
    """Draw orders: currency and price follow from country and product."""
    rng = np.random.default_rng(seed)
    orders = pd.DataFrame({"order_id": 10_000_000 + rng.permutation(n_rows)})
    orders["ordered"] = pd.Timestamp("2026-01-05 08:00") + pd.to_timedelta(
        rng.integers(0, 300, n_rows) * 24 + rng.integers(0, 12, n_rows), unit="h"
    )
    orders["country"] = rng.choice(["DE", "GB", "US"], n_rows, p=[0.5, 0.3, 0.2])
    currencies = {"DE": "EUR", "GB": "GBP", "US": "USD"}
    orders["currency"] = orders["country"].map(currencies)
    orders["product"] = rng.choice(["book", "phone", "lamp"], n_rows)
    orders["quantity"] = 1 + rng.poisson(1.0, n_rows)
    price = orders["product"].map({"book": 15.0, "phone": 500.0, "lamp": 60.0})
    noise = np.exp(0.1 * rng.normal(size=n_rows))
    orders["total"] = (price * orders["quantity"] * noise).round(2)
    orders["is_gift"] = rng.random(n_rows) < 0.2
    orders["age"] = rng.integers(18, 80, n_rows).astype(float)
    orders.loc[rng.random(n_rows) < 0.1, "age"] = np.nan
    return orders


def fit(orders, **params):
    """Fit a network behind the preprocessing of tables, with p-values."""
    network = Autoencoder(random_state=0, **params)
    pipeline = make_tabular_pipeline(network, drop=["order_id"])
    return ConformalDetector(pipeline, alpha=0.01, random_state=0).fit(orders)


def main():
    """Write the table and the fitted detector."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="file to write")
    args = parser.parse_args()
    orders = make_orders(5000, seed=0)
    orders.to_csv(args.path.with_suffix(".csv"), index=False)
    skanomaly.save(fit(orders), args.path)


if __name__ == "__main__":
    main()
