"""Peak memory of a fit on sparse rows, above the rows themselves.

Each detector, with its default settings but for the number of epochs, is fitted in a
fresh process on a CSR matrix, and the largest memory that the process ever had is read
from the operating system. That of a process which imports the same, makes the same
matrix, and fits and scores a tiny table, is subtracted: it stands for Python, torch and
the data. The smaller of several rounds is taken for it. Not for Windows.

    python examples/benchmarks/memory.py
"""

import argparse
import resource
import subprocess
import sys

LARGEST_WANTED = 60  # MB
BASELINE = "baseline"


def make_matrix(args):
    """Draw a CSR matrix of float32 normal numbers, never dense."""
    import numpy as np
    from scipy import sparse

    rng = np.random.default_rng(0)
    n_values = int(args.rows * args.features * args.density)
    rows = np.sort(rng.integers(args.rows, size=n_values))
    columns = rng.integers(args.features, size=n_values).astype(np.int32)
    values = rng.normal(size=n_values).astype(np.float32)
    starts = np.searchsorted(rows, np.arange(args.rows + 1)).astype(np.int32)
    shape = (args.rows, args.features)
    return sparse.csr_array((values, columns, starts), shape=shape)


def peak_of_this_process():
    """Return the largest resident memory so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB on Linux.
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def measure(args):
    """Fit what is asked for, and print the peak."""
    import warnings

    import numpy as np
    import torch

    import skanomaly

    warnings.simplefilter("ignore")  # of two epochs no method converges
    torch.set_num_threads(1)
    X = make_matrix(args)
    if args.measure == BASELINE:
        table = np.random.default_rng(0).normal(size=(20, 10))
        skanomaly.Autoencoder(max_epochs=args.epochs).fit(table).score_samples(table)
    else:
        detector = getattr(skanomaly, args.measure)
        detector(max_epochs=args.epochs, device="cpu", random_state=0).fit(X)
    print(peak_of_this_process())


def peak_of(name):
    """Measure in a fresh process, with the arguments of this one."""
    command = [sys.executable, *sys.argv, "--measure", name]
    shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(shown.stdout)


def networks():
    """Name the detectors that train a network of their own."""
    import skanomaly
    from skanomaly.base import BaseDetector

    classes = [
        getattr(skanomaly, name) for name in skanomaly.__all__ if name[0].isupper()
    ]
    return [cls.__name__ for cls in classes if issubclass(cls, BaseDetector)]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--features", type=int, default=2000)
    parser.add_argument("--density", type=float, default=0.01)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--detectors", nargs="+", help="by name; all by default")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args)
        return

    names = args.detectors or networks()
    baseline = min(peak_of(BASELINE) for _ in range(3))
    dense = args.rows * args.features * 4 / 2**20
    print(
        f"fit of {args.rows} x {args.features} CSR rows, density {args.density:g} "
        f"({dense:.0f} MB if they were dense), {args.epochs} epochs\n"
        f"baseline: {baseline:.0f} MB; asked for: at most {LARGEST_WANTED} MB above it"
    )
    print(f"{'detector':<16}{'peak, MB':>10}{'above, MB':>11}", flush=True)
    for name in names:
        peak = peak_of(name)
        mark = "" if peak - baseline <= LARGEST_WANTED else "  too much"
        print(f"{name:<16}{peak:>10.0f}{peak - baseline:>11.1f}{mark}", flush=True)


if __name__ == "__main__":
    main()
