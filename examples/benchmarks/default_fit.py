"""CPU seconds of a default fit, for every detector, on tables of two sizes.

    python examples/benchmarks/default_fit.py

One thread, no GPU. AnoGAN searches when it scores, and so for its threshold, too.
"""

import argparse
import time

import numpy as np
import torch

import skanomaly
from skanomaly.base import BaseDetector

SIZES = ((1000, 20), (50_000, 40))


def main():
    """Print a line a detector."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detector", nargs="+", metavar="NAME")
    args = parser.parse_args()
    torch.set_num_threads(1)
    public = {name: getattr(skanomaly, name) for name in skanomaly.__all__}
    names = args.detector or [
        name
        for name, made in public.items()
        if isinstance(made, type) and issubclass(made, BaseDetector)
    ]
    print(f"{'':<16}" + "".join(f"{n:>12,} x {d}" for n, d in SIZES))
    for name in names:
        seconds = []
        for shape in SIZES:
            X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
            detector = public[name](device="cpu", random_state=0)
            start = time.process_time()
            detector.fit(X)
            seconds.append(time.process_time() - start)
        print(f"{name:<16}" + "".join(f"{s:>15.1f} s" for s in seconds), flush=True)


if __name__ == "__main__":
    main()
