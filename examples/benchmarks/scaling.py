"""How fit and score grow with rows and columns, and what others take for the same.

Each figure is a ratio of two things that were run alternately in one process: the
detector, and a bare torch loop of the same network, PyOD's AutoEncoder of the same
network, or scikit-learn's IsolationForest. What is printed is the median with the least
and the largest ratio. "Floor" is the share of the time that the network's own matrix
products take at the rate of a large product on this machine.

    python examples/benchmarks/scaling.py --json scaling.json --plots docs
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from fit_speed import SIZES, bare_fit, bare_score, timed
from sklearn.ensemble import IsolationForest

from skanomaly import Autoencoder

BATCH_SIZE = 1024
COLUMNS = 40
WIDTHS = [*SIZES["hidden_sizes"], SIZES["latent_size"]]
# A pass over so many rows is repeated until there are as many.
FEWEST_ROWS_TIMED = 10_000


# -- what is compared ------------------------------------------------------------------


def ours(n_epochs):
    """Make the detector."""
    return Autoencoder(
        **SIZES,
        max_epochs=n_epochs,
        batch_size=BATCH_SIZE,
        device="cpu",
        random_state=0,
    )


def pyod(n_epochs):
    """Make PyOD's detector of the same network."""
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(
        hidden_neuron_list=WIDTHS,
        hidden_activation_name="leaky_relu",
        batch_norm=False,
        dropout_rate=0,
        epoch_num=n_epochs,
        batch_size=BATCH_SIZE,
        verbose=0,
    )


class Bare:
    """The loop of fit_speed.py with the face of a detector."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def fit(self, X):
        """Train."""
        self.module = bare_fit(ours(self.n_epochs), X)

    def decision_function(self, X):
        """Score."""
        return bare_score(self.module, X)


PEERS = {
    "bare": Bare,
    "PyOD": pyod,
    "IsolationForest": lambda n_epochs: IsolationForest(random_state=0),
}


# -- what is measured ------------------------------------------------------------------


def gemm_rate(n=1024, repeats=9):
    """Return the operations a second of a product of square matrices, a median."""
    a = torch.ones(n, n)
    return float(
        np.median([2 * n**3 / timed(torch.mm, a, a)[0] for _ in range(repeats)])
    )


def n_operations(n_rows, n_columns):
    """Count those of the matrix products of one pass through the network."""
    sizes = [n_columns, *WIDTHS]
    return 2 * 2 * n_rows * int(np.dot(sizes[:-1], sizes[1:]))


def compare(peer, X, n_epochs, repeats):
    """Return seconds of fit and score, ours and the peer's, one a repeat."""
    found = []
    n_passes = max(1, FEWEST_ROWS_TIMED // len(X))
    for _ in range(repeats + 1):
        row = {}
        for name, make in {"ours": ours, peer: PEERS[peer]}.items():
            detector = make(n_epochs)
            row[f"fit, {name}"], _ = timed(detector.fit, X)
            row[f"score, {name}"], _ = timed(
                lambda fn: [fn(X) for _ in range(n_passes)], detector.decision_function
            )
        found.append(row)
    return found[1:]  # the first one warms up


def measure(peer, shape, n_epochs, repeats, rate):
    """Return what is known of one peer and one size."""
    X = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    runs = compare(peer, X, n_epochs, repeats)
    row = {"peer": peer, "rows": shape[0], "columns": shape[1]}
    for what in ("fit", "score"):
        mine, other = (
            np.array([run[f"{what}, {name}"] for run in runs])
            for name in ("ours", peer)
        )
        # A step is a forward pass, and a backward pass of twice as many products; the
        # threshold of a fit takes one more forward pass.
        n_passes = 3 * n_epochs + 1 if what == "fit" else 1
        n_passes *= max(1, FEWEST_ROWS_TIMED // shape[0]) if what == "score" else 1
        floor = n_passes * n_operations(*shape) / rate
        row[what] = {
            "ratios": sorted(mine / other),
            "seconds": float(np.median(mine)),
            "floor": float(floor / np.median(mine)),
        }
    return row


# -- what is shown ---------------------------------------------------------------------


def table(rows):
    """Write a simple table of reStructuredText."""
    head = (
        "peer",
        "rows",
        "columns",
        "fit, ours / peer",
        "floor",
        "score, ours / peer",
        "floor",
    )
    lines = [head, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([rule, text[0], rule, *text[1:], rule])


def _cells(row):
    cells = [row["peer"], f"{row['rows']:,}", str(row["columns"])]
    for what in ("fit", "score"):
        ratios = row[what]["ratios"]
        cells.append(f"{np.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]")
        cells.append(f"{row[what]['floor']:.0%}")
    return cells


def plot(rows, folder):
    """Draw the seconds against rows, and against columns."""
    import matplotlib.pyplot as plt

    for by, fixed in (("rows", "columns"), ("columns", "rows")):
        most_common = max(
            {row[fixed] for row in rows},
            key=lambda value: sum(row[fixed] == value for row in rows),
        )
        figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
        shown = [r for r in rows if r["peer"] == "bare" and r[fixed] == most_common]
        shown = sorted(shown, key=lambda row: row[by])
        for what in ("fit", "score"):
            seconds = [row[what]["seconds"] for row in shown]
            ax.loglog([row[by] for row in shown], seconds, marker="o", label=what)
        ax.set(xlabel=f"{by} ({most_common:,} {fixed})", ylabel="seconds")
        ax.legend()
        figure.savefig(Path(folder) / f"scaling_{by}.png", dpi=100)


def main():
    """Print the table, and write JSON and plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    numbers = {"type": int, "nargs": "*"}
    parser.add_argument("--rows", **numbers, default=[10**4, 10**5, 10**6])
    parser.add_argument("--columns", **numbers, default=[10, 100, 1000])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=[*PEERS])
    parser.add_argument("--rows-of-others", type=int, default=10**5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", help="file for all figures")
    parser.add_argument("--plots", help="folder for two plots")
    args = parser.parse_args()

    torch.set_num_threads(1)
    rate = gemm_rate()
    print(f"{rate / 1e9:.0f} Gflop/s in a product of 1,024 x 1,024 matrices")
    sizes = [("bare", (n, COLUMNS)) for n in args.rows]
    sizes += [("bare", (args.rows_of_others, n)) for n in args.columns]
    sizes += [(p, (args.rows_of_others, COLUMNS)) for p in args.peers if p != "bare"]
    rows = [measure(*size, args.epochs, args.repeats, rate) for size in sizes]
    print(table(rows))
    if args.json:
        Path(args.json).write_text(json.dumps({"gemm": rate, "rows": rows}, indent=1))
    if args.plots:
        plot(rows, args.plots)


if __name__ == "__main__":
    main()
