"""Whether two processes train one network faster than one: data-parallel training.

Every process loads the same samples and calls fit with the same integer as
random_state. Gradients are averaged after each part of a batch, so all processes end
with the same weights, and with the scores of one that trains alone, to rounding. Here
one of them then trains alone, as a measure.

    torchrun --nproc_per_node 2 examples/benchmarks/data_parallel.py

On several machines torchrun is started on each of them, with --nnodes and
--rdzv-endpoint. A process that dies is an error in all others, at the latest after the
timeout below.
"""

import time
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist

from skanomaly import Autoencoder

ROWS, FEATURES, EPOCHS, BATCH_SIZE = 20_000, 120, 3, 1024
NETWORKS = {"small": (60, 30, 10), "large": (1024, 512, 256)}


def fit(X, hidden_sizes, **net_params):
    """Fit and return the detector, and the seconds that it took."""
    detector = Autoencoder(
        hidden_sizes=hidden_sizes,
        latent_size=3,
        max_epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        device="cpu",
        net_params=net_params,
        random_state=0,
    )
    start = time.perf_counter()
    detector.fit(X)
    return detector, time.perf_counter() - start


def main():
    """Print a line for each network."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=timedelta(minutes=1))
    X = np.random.default_rng(0).normal(size=(ROWS, FEATURES)).astype(np.float32)
    for name, hidden_sizes in NETWORKS.items():
        together, seconds = fit(X, hidden_sizes, data_parallel=True)
        if dist.get_rank() == 0:
            alone, seconds_alone = fit(X, hidden_sizes)
            scores = [each.score_samples(X[:1000]) for each in (together, alone)]
            print(
                f"{name:6} {dist.get_world_size()} processes {seconds:6.2f} s, "
                f"one alone {seconds_alone:6.2f} s: {seconds_alone / seconds:.2f} x; "
                f"scores differ by {np.abs(scores[0] / scores[1] - 1).max():.0e}"
            )
        dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
