"""Compare the time to import skanomaly with that to import numpy.

    python examples/benchmarks/import_time.py

starts 20 processes for each, in turn, and prints the medians and their ratio.
"""

import subprocess
import sys
from statistics import median

N_RUNS = 20
CODE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds_to_import(name):
    """Import a package in a new process."""
    command = [sys.executable, "-c", CODE.format(name)]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def main():
    """Print a line for each package, and the ratio."""
    found = {"numpy": [], "skanomaly": []}
    for _ in range(N_RUNS):
        for name, seconds in found.items():
            seconds.append(seconds_to_import(name))
    for name, seconds in found.items():
        print(f"{name}: {1e3 * median(seconds):.1f} ms")
    print(f"ratio: {median(found['skanomaly']) / median(found['numpy']):.2f}")


if __name__ == "__main__":
    main()
