"""What AnoGAN gains by searching samples side by side.

    python examples/benchmarks/anogan_search.py

Rows are searched one at a time, without any padding, and in batches as
``score_samples`` does it; the two are timed alternately and their scores compared.
"""

import argparse
import time

import numpy as np
import torch

from skanomaly import AnoGAN


def main():
    """Print the ratio of the times and the difference of the scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--alone", type=int, default=10, help="rows searched alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(args.rows, 5)) @ rng.normal(size=(5, 30))
    X = X.astype(np.float32)
    detector = AnoGAN(max_epochs=5, n_search_steps=1, device="cpu", random_state=0).fit(
        X
    )
    module = detector.module_
    module.n_search_steps = args.steps
    ratios = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        rows = torch.from_numpy(X[: args.alone]).split(1)
        alone = [module.score(row).item() for row in rows]
        middle = time.perf_counter()
        together = -detector.score_samples(X)
        end = time.perf_counter()
        per_row = (middle - start) / args.alone, (end - middle) / args.rows
        ratios.append(per_row[0] / per_row[1])
        print(
            f"alone {1e3 * per_row[0]:.1f} ms a row, together "
            f"{1e3 * per_row[1]:.3f} ms: {ratios[-1]:.0f} times faster"
        )
    difference = np.abs(np.array(alone) / together[: args.alone] - 1).max()
    print(f"median {np.median(ratios):.0f}; scores differ by {difference:.1e} at most")


if __name__ == "__main__":
    main()
