"""Peak memory and seconds of a large table, from the CSV file to the scores.

A CSV file of orders with 30 columns (ids, dates, free text, categories of few and of
50,000 levels, numbers, missing values) is written to a temporary folder by another
process. Then it is read by pandas, and a pipeline with the default Autoencoder is
fitted and scores all rows. The largest memory that this process ever had, Python,
pandas and torch included, is read from the operating system. Not for Windows.

    python examples/benchmarks/wide_table.py
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

MOST_MEMORY, MOST_SECONDS = 1.5, 60  # GB, s


def write_table(file, n_rows):
    """Write the orders."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    words = "please call leave at door before noon gift fragile thanks quick".split()
    seconds = rng.integers(0, 365 * 86400, n_rows)
    columns = {
        "order_id": [f"A{i:07d}" for i in rng.permutation(n_rows)],
        "row": np.arange(n_rows),
        "session": [f"{i:016x}" for i in rng.integers(2**63, size=n_rows)],
        "ordered": pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s"),
        "birthday": pd.Timestamp("1980-01-01")
        + pd.to_timedelta(rng.integers(-9000, 9000, n_rows), unit="D"),
        "comment": [" ".join(rng.choice(words, 6)) for _ in range(n_rows)],
        "customer": [f"c{i}" for i in rng.integers(0, 50_000, n_rows)],
        "shop": "main",
        "notes": np.nan,
        "express": rng.random(n_rows) < 0.2,
    }
    for i, n_levels in enumerate((3, 5, 10, 30, 60, 100, 300, 5000)):
        drawn = (n_levels * rng.random(n_rows) ** 2).astype(int)
        columns[f"category_{i}"] = [f"level {level}" for level in drawn]
    hidden = rng.normal(size=(n_rows, 3))
    for i in range(12):
        value = hidden @ rng.normal(size=3) + 0.2 * rng.normal(size=n_rows)
        value = np.exp(value) if i % 3 == 0 else value
        if i % 4 == 0:
            value[rng.random(n_rows) < 0.05] = np.nan
        columns[f"number_{i}"] = value.round(3)
    pd.DataFrame(columns).to_csv(file, index=False)


def peak_of_this_process():
    """Return the largest resident memory so far, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB on Linux.
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9


def measure(file):
    """Read, fit and score, and print what it took."""
    import pandas as pd
    import torch

    from skanomaly import Autoencoder, make_tabular_pipeline

    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)  # of the columns that are left out
    start = time.perf_counter()

    def report(what):
        print(
            f"{what:<10}{time.perf_counter() - start:>8.1f} s"
            f"{peak_of_this_process():>8.2f} GB",
            flush=True,
        )

    frame = pd.read_csv(file)
    report("read")
    pipeline = make_tabular_pipeline(Autoencoder(device="cpu", random_state=0))
    pipeline.fit(frame)
    report("fitted")
    pipeline.score_samples(frame)
    report("scored")
    n_encoded = pipeline[-1].n_features_in_
    print(f"{frame.shape[0]} x {frame.shape[1]} table, {n_encoded} encoded columns")
    print(f"asked for: at most {MOST_SECONDS} s and {MOST_MEMORY} GB")


def main():
    """Write the table in one process, and measure in this one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--write", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.write:
        write_table(args.write, args.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "orders.csv"
        command = [sys.executable, *sys.argv, "--write", str(file)]
        subprocess.run(command, check=True)
        measure(file)


if __name__ == "__main__":
    main()
