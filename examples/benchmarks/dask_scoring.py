"""Scoring of a Parquet data set on a Dask cluster, larger than the workers' memory.

Writes files of float32 normal numbers, as many times larger than the memory limit of a
worker as asked for, and scores them by `score_batches` in this process and on a cluster
of two, of one thread each, in turns, after all have imported what they need. The share
of ideal is the time of one divided by twice the time of two. Then it scores them once
more and kills a worker meanwhile. The data are deleted in the end.

Dask lets its workers give freed memory back to the system at once, and so they get it
anew for every batch. `KEEP_MEMORY` ends that.

    python examples/benchmarks/dask_scoring.py
"""

import argparse
import os
import signal
import tempfile
import threading
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import dask
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from dask.distributed import Client, LocalCluster
from joblib import parallel_config

from skanomaly import Autoencoder
from skanomaly.out_of_core import score_batches

SHARE_WANTED = 0.8
ROWS_PER_FILE = 400_000
# Settings of glibc's allocator for Dask's workers, in bytes.
KEEP_MEMORY = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**28,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**25,
}


def write(folder, n_rows, n_columns):
    """Write files of rows, one after the other."""
    rng = np.random.default_rng(0)
    for start in range(0, n_rows, ROWS_PER_FILE):
        shape = (n_columns, min(ROWS_PER_FILE, n_rows - start))
        X = rng.standard_normal(size=shape, dtype=np.float32)
        table = pa.table({f"x{n}": column for n, column in enumerate(X)})
        file = folder / f"{start:012d}.parquet"
        pq.write_table(table, file, row_group_size=100_000)


def score(detector, folder, sink):
    """Score everything after a few files that warm up; return the seconds."""
    score_batches(detector, folder / "few", f"{sink}-few")
    started = time.perf_counter()
    score_batches(detector, folder / "all", sink)
    return time.perf_counter() - started


def score_on_cluster(detector, folder, sink, memory_limit, kill_after=None):
    """Score on two workers, one of which may end meanwhile; return the seconds."""
    with connected(memory_limit) as client, parallel_config("dask"):
        if kill_after is not None:
            kill_later(client, kill_after)
        return score(detector, folder, sink)


def kill_later(client, seconds):
    """End a worker's process after a while."""
    pid = next(iter(client.run(os.getpid).values()))
    threading.Timer(seconds, os.kill, (pid, signal.SIGKILL)).start()


def read(sink):
    """Read all scores."""
    return pq.read_table(sink)["score"].to_numpy()


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory-limit", type=float, default=1.0, help="GB a worker")
    parser.add_argument("--times", type=float, default=4.0, help="size of the data")
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    size = args.times * args.memory_limit * 2**30
    n_rows = int(size / (4 * args.columns))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, n in (("few", ROWS_PER_FILE * 2), ("all", n_rows)):
            (folder / part).mkdir()
            write(folder / part, n, args.columns)
        first = pq.ParquetFile(next((folder / "few").iterdir())).read_row_group(0)
        detector = Autoencoder(max_epochs=1, device="cpu", random_state=0).fit(first)
        compare(args, detector, folder, n_rows)


def compare(args, detector, folder, n_rows):
    """Score in one process and on two workers, and print what it takes."""
    print(
        f"{n_rows} x {args.columns} float32, {args.times:g} times the limit of "
        f"{args.memory_limit:g} GB a worker; asked for: {SHARE_WANTED:.0%} of ideal"
    )
    seconds = {1: [], 2: []}
    for nth in range(args.rounds):
        seconds[1].append(score(detector, folder, folder / f"one-{nth}"))
        sink = folder / f"two-{nth}"
        seconds[2].append(score_on_cluster(detector, folder, sink, args.memory_limit))
    one, two = (float(np.median(found)) for found in seconds.values())
    share = one / (2 * two)
    mark = "" if share >= SHARE_WANTED else "  too little"
    print(f"1 process {one:.0f} s, 2 workers {two:.0f} s: {share:.0%} of ideal{mark}")
    sink = folder / "killed"
    killed = score_on_cluster(detector, folder, sink, args.memory_limit, two / 2)
    same = np.array_equal(read(folder / "killed"), read(folder / "one-0"))
    print(f"a worker killed: {killed:.0f} s, {'the same' if same else 'OTHER'} scores")


@contextmanager
def connected(memory_limit):
    """Start two processes on this machine, of one thread each for reading, too."""
    with (
        dask.config.set(KEEP_MEMORY),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit=f"{memory_limit}GiB",
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(pa.set_cpu_count, 1)
        yield client


if __name__ == "__main__":
    main()
