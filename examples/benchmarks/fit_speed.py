"""How much a fit costs above a bare torch loop of the same network.

The bare loop is what a person would write who cares for speed and nothing else: the
module's own losses, one tensor, a permutation an epoch, index_select, torch's fused
Adam, and torch's own exponential moving average where the detector has one. Detector
and loop train alternately in one thread of one process, and seconds are those of the
CPU, so that a busy machine disturbs little; the ratio of each pair is taken, and the
median of the ratios is printed. The detector's fit includes what the loop leaves out:
checking the data, the history, passes over the data between phases, and scoring all
rows once for the threshold.

    python examples/benchmarks/fit_speed.py --batch-sizes 1024 256
    python examples/benchmarks/fit_speed.py --batch-sizes 32 --epochs 2
    python examples/benchmarks/fit_speed.py --rows 50000 --detectors VAE MemAE

On a GPU the loop has all rows there, and seconds are those of the clock:

    python examples/benchmarks/fit_speed.py --device cuda --batch-sizes 256 1024
    python examples/benchmarks/fit_speed.py --device cuda --batch-sizes 256 1024 \
        --cuda-graph
"""

import argparse
import time

import numpy as np
import torch
from sklearn.base import clone
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import skanomaly

# The networks of all detectors; what they have beyond this is left at the defaults.
SIZES = {"hidden_sizes": (60, 30, 10), "latent_size": 3}
BATCH_SIZE_OF_BARE_SCORING = 4096
N_SCORINGS = 6


def timed(function, *args):
    """Call a function; return the seconds it took and what it returned.

    They are seconds of the CPU, or of the clock once a GPU is used.
    """
    is_on_gpu = torch.cuda.is_initialized()
    clock = time.perf_counter if is_on_gpu else time.process_time
    if is_on_gpu:
        torch.cuda.synchronize()
    start = clock()
    value = function(*args)
    if is_on_gpu:
        torch.cuda.synchronize()
    return clock() - start, value


def plan(detector, module, samples):
    """Yield the losses of each phase of a method with their number of epochs."""
    n_epochs = detector.max_epochs
    if isinstance(detector, skanomaly.MemAE):
        n_warm_up = round(detector.warm_up_fraction * n_epochs)
        yield module.warm_up_losses, n_warm_up
        with torch.no_grad():  # as simple as can be; the detector spreads them out
            chosen = torch.randperm(len(samples))[: detector.memory_size]
            module.memory.items.copy_(module.queries(samples[chosen]))
        n_epochs -= n_warm_up
    yield module.losses, n_epochs


def bare_fit(detector, X):
    """Train without any library around torch."""
    torch.manual_seed(0)
    device = detector.device
    samples = torch.from_numpy(X).to(device)
    if detector.module_class.needs_held_out:
        samples = samples[int(detector.validation_fraction * len(samples)) :]
    module = detector.module_class(**detector._module_arguments(X.shape[1:]))
    module.to(device)
    module.random_generator = torch.Generator(device).manual_seed(0)
    networks = [getattr(module, name) for name in module.networks] or [module]
    parameters = [[p for p in n.parameters() if p.requires_grad] for n in networks]
    average = None
    if module.ema_decay:
        average = AveragedModel(
            module, multi_avg_fn=get_ema_multi_avg_fn(module.ema_decay)
        )
    for losses, n_epochs in plan(detector, module, samples):
        optimizers = [
            torch.optim.Adam(each, lr=1e-3, betas=module.adam_betas, fused=True)
            for each in parameters
        ]
        for _ in range(n_epochs):
            order = torch.randperm(len(samples), device=device)
            for rows in order.split(detector.batch_size):
                each_loss = losses(samples.index_select(0, rows))
                for optimizer, own, loss in zip(
                    optimizers, parameters, each_loss, strict=True
                ):
                    optimizer.zero_grad()
                    # A loss of several networks must not reach the others.
                    loss.backward(inputs=own if module.networks else None)
                    optimizer.step()
                if average is not None:
                    average.update_parameters(module)
    return module.eval()


def bare_score(module, X):
    """Score in batches of a good size, reducing inside the loop."""
    with torch.no_grad():
        samples = torch.from_numpy(X).to(module.center.device)
        batches = samples.split(BATCH_SIZE_OF_BARE_SCORING)
        return torch.cat([module.score(x) for x in batches]).cpu().double().numpy()


def compare(detector, X, repeats):
    """Return the ratios of fitting and of scoring, one a repeat, and seconds."""
    fits, scorings, seconds = [], [], []
    for repeat in range(repeats + 1):
        fitted = clone(detector)
        ours, _ = timed(fitted.fit, X)
        bare, module = timed(bare_fit, detector, X)
        passes = [
            (timed(fitted.score_samples, X)[0], timed(bare_score, module, X)[0])
            for _ in range(N_SCORINGS)
        ]
        if repeat:  # the first round warms up
            fits.append(ours / bare)
            # The first pass finds no row in the cache, and the second one does.
            scorings.append(np.median([mine / other for mine, other in passes[1:]]))
            seconds.append((ours, bare))
    return np.array(fits), np.array(scorings), np.median(seconds, axis=0)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detectors", nargs="+", default=["Autoencoder"])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=120)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256])
    parser.add_argument("--device", default="cpu", help="of both")
    parser.add_argument("--compile", action="store_true", help="compile the detector")
    parser.add_argument("--cuda-graph", action="store_true", help="replay its steps")
    args = parser.parse_args()

    torch.set_num_threads(1)
    if args.device != "cpu":
        torch.cuda.init()
    net_params = {"compile": args.compile, "cuda_graph": args.cuda_graph}
    X = np.random.default_rng(0).normal(size=(args.rows, args.features))
    X = X.astype(np.float32)
    print(
        f"{args.rows} x {args.features} float32 rows, {args.epochs} epochs, "
        f"one thread, {args.device}, torch {torch.__version__}; median [min, max] of "
        f"{args.repeats} ratios"
    )
    print(
        f"{'detector':15} {'batch':>5} {'fit':>18} {'score':>18} "
        f"{'ours, s':>8} {'bare, s':>8}"
    )
    for name in args.detectors:
        for batch_size in args.batch_sizes:
            detector = getattr(skanomaly, name)(
                **SIZES,
                max_epochs=args.epochs,
                batch_size=batch_size,
                device=args.device,
                net_params=net_params,
                random_state=0,
            )
            fits, scorings, seconds = compare(detector, X, args.repeats)
            columns = [
                f"{np.median(r):.2f} [{r.min():.2f}, {r.max():.2f}]"
                for r in (fits, scorings)
            ]
            print(
                f"{name:15} {batch_size:>5} {columns[0]:>18} {columns[1]:>18} "
                f"{seconds[0]:>8.2f} {seconds[1]:>8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
