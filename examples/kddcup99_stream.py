"""KDD Cup 1999 as a stream: a detector that goes on learning, and others that don't.

    python examples/kddcup99_stream.py --plot stream.png

The normal connections come in the file's own order, in chunks. Each chunk is scored
first and trained on then (prequential evaluation): the fraction of it that is called
outliers is the rate of false alarms, of which `contamination` was asked for, and the
AUC is that of the chunk against a sample of the attacks. The table is prepared by
`make_tabular_pipeline`, fitted on the first chunk, and nothing is ever trained on an
attack.

Where the data can't be found, the script says how to get it and runs on a synthetic
stream instead, whose mean moves.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.datasets import load_kddcup99
from skanomaly.neighbors import NearestNeighborDetector

N_ATTACKS = 3000
# As many chunks the moving nearest neighbor keeps.
N_CHUNKS_OF_NEIGHBOR = 5


@dataclass
class Stream:
    """What comes chunk by chunk, and what is never trained on."""

    chunks: list
    attacks: np.ndarray


# -- where the rows come from ----------------------------------------------------------


def kdd_stream(path, chunk_size):
    """Cut the normal connections, in the order of the file, into chunks."""
    kdd = load_kddcup99(path)
    normal, attacks = (kdd.data[kdd.target == label] for label in (1, -1))
    attacks = attacks.sample(N_ATTACKS, random_state=0)
    starts = range(0, len(normal) - chunk_size + 1, chunk_size)
    chunks = [normal.iloc[start : start + chunk_size] for start in starts]
    prepare = make_tabular_pipeline(Autoencoder())[:-1].fit(chunks[0])
    return Stream([*map(prepare.transform, chunks)], prepare.transform(attacks))


def synthetic_stream(chunk_size, n_chunks=30, n_features=20):
    """Draw rows near a surface that moves by half a standard deviation a chunk."""
    rng = np.random.default_rng(0)
    axes, direction = rng.normal(size=(3, n_features)), rng.normal(size=n_features)
    direction /= np.linalg.norm(direction)

    def draw(n_rows, noise_std, shift):
        rows = rng.normal(size=(n_rows, 3)) @ axes + shift * direction
        return rows + noise_std * rng.normal(size=rows.shape)

    chunks = [draw(chunk_size, 0.1, 0.5 * n) for n in range(n_chunks)]
    outliers = [draw(N_ATTACKS // n_chunks, 1.0, 0.5 * n) for n in range(n_chunks)]
    return Stream(chunks, np.concatenate(outliers))


def load_stream(path, chunk_size):
    """Return the stream of KDD, or the synthetic one."""
    try:
        return kdd_stream(path, chunk_size)
    except OSError as error:
        print(f"{error}\nA synthetic stream instead:")
        return synthetic_stream(chunk_size)


# -- what is compared ------------------------------------------------------------------


def fitted_once(detector, chunks):
    """Fit on the first chunk, and never again."""
    detector.fit(chunks[0])
    while True:
        yield detector


def goes_on(detector, chunks):
    """Train on each chunk by `partial_fit`."""
    for chunk in chunks:
        yield detector.partial_fit(chunk)


def fitted_on_the_last(detector, chunks):
    """Fit anew on the last chunks."""
    for n in range(1, len(chunks) + 1):
        yield detector.fit(np.concatenate(chunks[max(n - N_CHUNKS_OF_NEIGHBOR, 0) : n]))


def make_entries(contamination):
    """Name what is compared: how it is trained, and the detector for a seed."""

    def network(seed):
        # Both thresholds are those of held-out rows.
        return Autoencoder(
            contamination=contamination, early_stopping=True, random_state=seed
        )

    def neighbor(seed):
        return NearestNeighborDetector(contamination=contamination)

    return {
        "Autoencoder, fit once": (fitted_once, network),
        "Autoencoder, partial_fit": (goes_on, network),
        "1-NN, fit once": (fitted_once, neighbor),
        f"1-NN, last {N_CHUNKS_OF_NEIGHBOR} chunks": (fitted_on_the_last, neighbor),
    }


# -- what is measured ------------------------------------------------------------------


def evaluate(training, stream):
    """Test each chunk and then train on it; return rates, AUCs and seconds a chunk."""
    rates, aucs, start, scoring = [], [], time.perf_counter(), 0.0
    for chunk, detector in zip(stream.chunks[1:], training, strict=False):
        begin = time.perf_counter()
        scores, attacks = map(detector.score_samples, (chunk, stream.attacks))
        rates.append((scores < detector.offset_).mean())
        is_normal = np.repeat([1, 0], [len(scores), len(attacks)])
        aucs.append(roc_auc_score(is_normal, np.concatenate([scores, attacks])))
        scoring += time.perf_counter() - begin
    seconds = (time.perf_counter() - start - scoring) / len(rates)
    return np.array(rates), np.array(aucs), seconds


def report(found):
    """Print a line for each entry: means and standard deviations over the seeds."""
    print(
        f"{'':24}  {'false alarms':15}  {'median':6}  {'worst':5}  "
        f"{'AUC':15}  {'worst':5}  ms a chunk"
    )
    for name, runs in found.items():
        rates, aucs, seconds = (np.array(each) for each in zip(*runs, strict=True))
        median, most, least = np.median(rates, 1), rates.max(1), aucs.min(1)
        print(
            f"{name:24}  {_mean_and_std(rates)}  {median.mean():.4f}  "
            f"{most.mean():.3f}  {_mean_and_std(aucs)}  {least.mean():.3f}  "
            f"{1000 * np.median(seconds):10.0f}"
        )


def _mean_and_std(values):
    by_seed = values.mean(axis=1)
    return f"{by_seed.mean():.4f} ± {by_seed.std():.4f}"


def plot(found, contamination, path):
    """Draw both measures over the chunks, a band from the least to the largest seed."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained")
    for name, runs in found.items():
        for ax, measure in zip(axes, range(2), strict=True):
            values = np.array([run[measure] for run in runs])
            numbers = np.arange(2, values.shape[1] + 2)
            (line,) = ax.plot(numbers, np.median(values, axis=0), label=name)
            ax.fill_between(
                numbers,
                values.min(axis=0),
                values.max(axis=0),
                color=line.get_color(),
                alpha=0.15,
                linewidth=0,
            )
    axes[0].axhline(contamination, color="black", linestyle="--", label="asked for")
    axes[0].set(ylabel="false alarms", ylim=(0, 1))
    axes[0].set_yscale("symlog", linthresh=contamination)
    axes[1].set(ylabel="AUC of attacks", xlabel="chunk")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3
    )
    figure.savefig(path, dpi=100)


def main():
    """Print the table, and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="the file kddcup.data_10_percent.gz")
    parser.add_argument("--chunk-size", type=int, default=2000)
    parser.add_argument("--contamination", type=float, default=0.01)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--plot", help="file for a plot")
    args = parser.parse_args()

    stream = load_stream(args.data, args.chunk_size)
    n_chunks, n_features = len(stream.chunks), np.shape(stream.chunks[0])[1]
    print(
        f"{n_chunks} chunks of {args.chunk_size} rows, {n_features} columns; "
        f"{args.contamination:.0%} false alarms asked for; {args.seeds} seed(s)"
    )
    found = {}
    for name, (train, make_detector) in make_entries(args.contamination).items():
        n_seeds = 1 if "1-NN" in name else args.seeds
        found[name] = [
            evaluate(train(make_detector(seed), stream.chunks), stream)
            for seed in range(n_seeds)
        ]
    report(found)
    if args.plot:
        plot(found, args.contamination, args.plot)


if __name__ == "__main__":
    main()
