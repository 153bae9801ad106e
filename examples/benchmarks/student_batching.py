"""What five students cost above one: by batched products, and by torch.func.

Each round trains all candidates one after the other in one process, so that a noisy
machine slows all of them; a candidate's seconds are divided by those of one
student in the same round, and the median of the ratios is printed. What is timed is the
net's whole training: batches, teacher, students, optimizer and history.

    python examples/benchmarks/student_batching.py
"""

import argparse
import os
import time
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from skanomaly.detectors.student_teacher import StudentTeacherModule
from skanomaly.nn import Phase, make_encoder
from skanomaly.training import Data, DetectorNet


class VmappedStudents(nn.Module):
    """The same students by torch.func, which takes any network but adds calls."""

    def __init__(self, n_students, sizes):
        super().__init__()
        n_in, *hidden_sizes, n_out = sizes
        members = [
            make_encoder((n_in,), hidden_sizes, n_out, "tanh")
            for _ in range(n_students)
        ]
        weights, _ = stack_module_state(members)
        self.names = list(weights)
        self.weights = nn.ParameterList(w.detach() for w in weights.values())
        self.template = [members[0].to("meta")]  # in a list: no child

    def forward(self, x):
        def outputs(weights):
            return functional_call(self.template[0], weights, (x,))

        return vmap(outputs)(dict(zip(self.names, self.weights, strict=True)))


class Loop(nn.Module):
    """The same students one after the other."""

    def __init__(self, n_students, sizes):
        super().__init__()
        n_in, *hidden_sizes, n_out = sizes
        self.members = nn.ModuleList(
            make_encoder((n_in,), hidden_sizes, n_out, "tanh")
            for _ in range(n_students)
        )

    def forward(self, x):
        return torch.stack([member(x) for member in self.members])


def make_module(n_features, n_students, hidden_sizes, other=None):
    """Build teacher and students; `other` takes the place of the stacked ones."""
    module = StudentTeacherModule(
        (n_features,),
        hidden_sizes,
        latent_size=32,
        activation="tanh",
        teacher="random",
        n_students=n_students,
        patch_sizes=(),
        stride=None,
    )
    if other is not None:
        sizes = (n_features, *hidden_sizes, 32)
        module.branches[0].students = other(n_students, sizes)
    return module


def seconds_of_training(make, X, batch_size, epochs):
    """Train a new net; leave out making it, and its first epoch."""
    net = DetectorNet(make, batch_size=batch_size).initialize()
    data, phase = Data(X), Phase(net.module_.losses)
    net.train_phase(phase, data, n_epochs=1)
    start = time.perf_counter()
    net.train_phase(phase, data, n_epochs=epochs)
    return time.perf_counter() - start


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=8192)
    parser.add_argument("--features", type=int, default=120)
    parser.add_argument("--students", type=int, default=5)
    parser.add_argument("--hidden-sizes", type=int, nargs="+", default=[128, 64])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 256])
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    X = np.random.default_rng(0).normal(size=(args.rows, args.features))
    X = X.astype(np.float32)
    make = partial(make_module, args.features, hidden_sizes=args.hidden_sizes)
    candidates = {
        "one": partial(make, n_students=1),
        "batched": partial(make, n_students=args.students),
        "torch.func": partial(make, n_students=args.students, other=VmappedStudents),
        "loop": partial(make, n_students=args.students, other=Loop),
    }
    print(
        f"{args.rows} x {args.features} rows, {args.students} students of hidden sizes "
        f"{args.hidden_sizes}, {args.threads} torch thread(s), {os.cpu_count()} "
        f"processors, torch {torch.__version__}"
    )
    print(f"multiples of one student's seconds: median [min, max] of {args.repeats}")
    print(f"{'batch':>6}" + "".join(f"{name:>22}" for name in candidates))
    for batch_size in args.batch_sizes:
        seconds = [
            [
                seconds_of_training(each, X, batch_size, args.epochs)
                for each in candidates.values()
            ]
            for _ in range(args.repeats)
        ]
        ratios = np.array(seconds) / np.array(seconds)[:, :1]
        cells = [f"{np.median([row[0] for row in seconds]):.2f} s"]
        cells += [
            f"{np.median(r):.2f} [{r.min():.2f}, {r.max():.2f}]" for r in ratios.T[1:]
        ]
        print(f"{batch_size:>6}" + "".join(f"{cell:>22}" for cell in cells))


if __name__ == "__main__":
    main()
