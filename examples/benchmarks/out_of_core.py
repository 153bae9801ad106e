"""Memory and time of data larger than memory: a memory map and a Parquet data set.

Writes float32 numbers to a folder, a million rows again and again, and deletes them in
the end. Each measurement is taken in a fresh process: one epoch of an Autoencoder with
its defaults but for the batches, or the scores of all rows by a detector that was
fitted on a few. "resident" is the largest memory ever, torch included; "anonymous" the
part of it that belongs to no file, looked at every 20 ms. Linux only.

    python examples/benchmarks/out_of_core.py --gigabytes 6
    python examples/benchmarks/out_of_core.py --linear
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

LARGEST_WANTED = 1.2  # GB
LARGEST_DEVIATION = 0.15
ROWS_PER_GROUP = 100_000
ROWS_PER_FILE = 10 * ROWS_PER_GROUP


def make_blocks(n_rows, n_columns):
    """Yield float32 rows near a subspace, a file's worth at a time; always the same."""
    rng = np.random.default_rng(0)
    n = min(ROWS_PER_FILE, n_rows)
    axes = rng.normal(size=(n_columns // 4, n_columns)).astype(np.float32)
    codes = rng.standard_normal(size=(n, len(axes)), dtype=np.float32)
    block = 0.1 * rng.standard_normal(size=(n, n_columns), dtype=np.float32)
    block += codes @ axes / len(axes) ** 0.5
    for start in range(0, n_rows, ROWS_PER_FILE):
        yield start, block[: n_rows - start]


def write_map(path, n_rows, n_columns):
    """Write a memory map."""
    shape = (n_rows, n_columns)
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    for start, block in make_blocks(n_rows, n_columns):
        X[start : start + len(block)] = block
    X.flush()


def write_parquet(path, n_rows, n_columns):
    """Write a folder of Parquet files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.mkdir()
    names = [f"x{n}" for n in range(n_columns)]
    for start, block in make_blocks(n_rows, n_columns):
        table = pa.table(dict(zip(names, np.ascontiguousarray(block.T), strict=True)))
        file = path / f"{start:012d}.parquet"
        pq.write_table(
            table,
            file,
            row_group_size=ROWS_PER_GROUP,
            use_dictionary=False,
            compression="none",
        )


WRITERS = {"map.npy": write_map, "parquet": write_parquet}


def status(field):
    """Read a line of what the operating system says of this process, in GB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    value = next(line.split()[1] for line in lines if line.startswith(field))
    return int(value) / 2**20


class AnonymousPeak(threading.Thread):
    """Look at the anonymous memory again and again."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0.0

    def run(self):
        while True:
            self.peak = max(self.peak, status("RssAnon"))
            time.sleep(0.02)


def measure(args):
    """Fit or score once, and print seconds and memory."""
    import torch

    from skanomaly import Autoencoder
    from skanomaly.out_of_core import open_source

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # few rows come without names, and few epochs
    watcher = AnonymousPeak()
    watcher.start()
    X = args.measure[0]
    X = np.load(X, mmap_mode="r") if X.endswith(".npy") else open_source(X)
    detector = Autoencoder(
        max_epochs=1, batch_size=args.batch_size, device="cpu", random_state=0
    )
    few = X[:2000]
    detector.set_params(max_epochs=5).fit(few).set_params(max_epochs=1)
    work = getattr(detector, {"fit": "fit", "score": "score_samples"}[args.measure[1]])
    # Those that take but a moment are repeated.
    n_times = max(1, 10**6 // X.shape[0]) if args.linear else 1
    seconds = []
    for _ in range(min(n_times, 20)):
        started = time.perf_counter()
        work(X)
        seconds.append(time.perf_counter() - started)
    print(np.median(seconds), status("VmHWM"), watcher.peak)


def run(args, path, task):
    """Measure in a fresh process, with the arguments of this one."""
    command = [sys.executable, *sys.argv, "--measure", str(path), task]
    shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(value) for value in shown.stdout.split()]


def report_memory(args, folder):
    """Print memory and time for data of one size."""
    n_rows = int(args.gigabytes * 2**30 / (4 * args.columns))
    print(f"{n_rows} x {args.columns} float32; asked for: {LARGEST_WANTED} GB at most")
    header = f"{'GB resident':>13}{'GB anonymous':>14}{'seconds':>9}"
    print(f"{'source':<10}{'task':<7}{header}")
    for name in args.sources:
        write = WRITERS[name]
        path = folder / name
        write(path, n_rows, args.columns)
        for task in ("fit", "score"):
            seconds, peak, anonymous = run(args, path, task)
            mark = "" if peak <= LARGEST_WANTED else "  too much"
            row = f"{peak:>13.2f}{anonymous:>14.2f}{seconds:>9.0f}{mark}"
            print(f"{name:<10}{task:<7}{row}", flush=True)
        delete(path)


def report_linearity(args, folder):
    """Print the time of a row for tables of many sizes."""
    print(
        f"microseconds a row, {args.columns} columns; medians of {args.rounds} rounds"
    )
    sizes = [10**n for n in range(4, 8)]
    print(f"{'source':<10}{'task':<7}" + "".join(f"{n:>12}" for n in sizes))
    for name in args.sources:
        write = WRITERS[name]
        paths = [folder / f"{n}-{name}" for n in sizes]
        for path, n in zip(paths, sizes, strict=True):
            write(path, n, args.columns)
        for task in ("fit", "score"):
            rounds = [
                [run(args, p, task)[0] for p in paths] for _ in range(args.rounds)
            ]
            costs = 1e6 * np.median(rounds, axis=0) / sizes
            deviation = np.abs(costs / np.median(costs) - 1).max()
            mark = "" if deviation <= LARGEST_DEVIATION else ", more than asked for"
            shown = "".join(f"{cost:>12.2f}" for cost in costs)
            print(
                f"{name:<10}{task:<7}{shown}  within {deviation:.0%}{mark}", flush=True
            )
        for path in paths:
            delete(path)


def delete(path):
    """Delete a file, or a folder of files."""
    for file in path.iterdir() if path.is_dir() else ():
        file.unlink()
    path.rmdir() if path.is_dir() else path.unlink()


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=6.0)
    parser.add_argument("--columns", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=4096)
    parser.add_argument("--sources", nargs="+", default=list(WRITERS))
    parser.add_argument("--linear", action="store_true", help="time by number of rows")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--folder", help="where the data are written; default: temporary"
    )
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        (report_linearity if args.linear else report_memory)(args, Path(folder))


if __name__ == "__main__":
    main()
