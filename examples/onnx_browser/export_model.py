"""Train a detector of orders, export it, and serve the page that scores one.

    pip install 'skanomaly[frames,onnx]'
    python examples/onnx_browser/export_model.py          # then open http://localhost:8000

The page loads onnxruntime-web from a CDN, or from ``node_modules`` beside it after
``npm install onnxruntime-web``; the scores are computed in the browser.
"""

import argparse
import json
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd

from skanomaly import Autoencoder, make_tabular_pipeline, to_onnx
from skanomaly.calibration import ConformalDetector

FOLDER = Path(__file__).parent


def make_orders(n_rows, seed):
    """Draw orders: the price follows from the category and the quantity."""
    rng = np.random.default_rng(seed)
    category = rng.choice(["books", "phones", "kitchen"], n_rows, p=[0.5, 0.2, 0.3])
    price = pd.Series(category).map({"books": 15.0, "phones": 500.0, "kitchen": 60.0})
    quantity = 1 + rng.poisson(1.0, n_rows)
    total = (price * quantity * np.exp(0.2 * rng.normal(size=n_rows))).round(2)
    age = np.where(rng.random(n_rows) < 0.1, np.nan, rng.integers(18, 80, n_rows))
    return pd.DataFrame(
        {"category": category, "quantity": quantity, "total": total, "age": age}
    )


def main():
    """Train, export, and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--no-serve", action="store_true", help="write the files only")
    args = parser.parse_args()
    orders = make_orders(3000, seed=0)
    pipeline = make_tabular_pipeline(Autoencoder(random_state=0))
    detector = ConformalDetector(pipeline, alpha=0.01, random_state=0).fit(orders)
    to_onnx(detector, FOLDER / "detector.onnx", orders)
    # What the page compares its own results with.
    odd = pd.DataFrame(
        {
            "category": ["books", "books", "boats", None],
            "quantity": [2, 2, 1, 1],
            "total": [31.5, 9000.0, 60.0, np.nan],
            "age": [41.0, 41.0, np.nan, np.nan],
        }
    )
    expected = [
        {"row": json.loads(row), "score": score, "p_value": p_value}
        for row, score, p_value in zip(
            odd.to_json(orient="records", lines=True).splitlines(),
            detector.score_samples(odd),
            detector.p_values(odd),
            strict=True,
        )
    ]
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1))
    if args.no_serve:
        return
    handler = partial(SimpleHTTPRequestHandler, directory=FOLDER)
    with ThreadingHTTPServer(("localhost", args.port), handler) as server:
        print(f"http://localhost:{args.port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
