"""Memory above the input is bounded by a few batches: measured in other processes."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="ru_maxrss has other units elsewhere"
)

PREAMBLE = """
import resource, sys, warnings
import numpy as np, torch
from helpers import make_detector, make_sparse_samples
import skanomaly
torch.set_num_threads(1)
warnings.simplefilter("ignore")

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20
"""


def run(code, *arguments):
    """Run code in a process of its own; return the number that it prints."""
    shown = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env={
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        },
    )
    assert shown.returncode == 0, shown.stderr
    return float(shown.stdout.split()[-1])


def test_scoring_a_memory_map_takes_a_few_batches(tmp_path):
    """191 MB of data took 190 MB more."""
    X = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=np.float32, shape=(250_000, 200)
    )
    X[:] = 0.5
    X.flush()
    code = """
    X = np.load(sys.argv[1], mmap_mode="r")
    few = np.ascontiguousarray(X[:2000])
    detector = skanomaly.Autoencoder(max_epochs=1, random_state=0).fit(few)
    detector.score_samples(few)
    # Pages of a file are resident, too, while they are read: count what is our own.
    def own():
        with open("/proc/self/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["RssAnon"].split()[0]) / 1024
    before, most = own(), 0.0
    score = detector.module_.score
    def watched(x):
        global most
        most = max(most, own())
        return score(x)
    detector.module_.score = watched
    detector.score_samples(X)
    print(max(most, own()) - before)
    """
    assert run(code, tmp_path / "X.npy") < 40


FIT = """
detector = make_detector(getattr(skanomaly, sys.argv[1]), **eval(sys.argv[2]))
# What torch, skorch and scikit-learn need for themselves, however few rows there are.
detector.fit(make_sparse_samples(300, 2000, 0.01))
X = make_sparse_samples(int(sys.argv[3]), 2000, 0.01)
before = peak()
detector.fit(X).score_samples(X)
print(peak() - before)
"""


@pytest.mark.parametrize(
    ("name", "params", "n_samples"),
    [
        ("OGNet", {"max_epochs": 1, "batch_size": 128}, 10_000),
        ("StudentTeacher", {"max_epochs": 1, "batch_size": 128}, 10_000),
        ("MemAE", {"max_epochs": 2, "memory_size": 2000, "batch_size": 128}, 5000),
    ],
)
def test_fit_of_sparse_rows_takes_a_few_batches(name, params, n_samples):
    """Dense, 10,000 of them would be 76 MB, and the usage of 2,000 items 40 MB."""
    assert run(FIT, name, params, n_samples) < 60
