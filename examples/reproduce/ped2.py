"""UCSD Ped2: windows of motion, with and without a network.

    python examples/reproduce/ped2.py table --seeds 3
    python examples/reproduce/ped2.py choose
    python examples/reproduce/ped2.py look

``table`` prints two columns. "Estimator": raw scores of all frames of all test videos
are ranked together, and one threshold from held-out training videos says which are
abnormal. "Paper protocol": the scores of each test video are scaled to [0, 1] first,
which is transductive: it takes the whole video, and tells nothing of a new frame. Most
publications have the latter.

Detectors are fitted on twelve of the sixteen training videos. The other four give scale
and threshold of the frame scores. ``choose`` compares settings on these four, with
walkers of the twelve pasted into them; no test video is read. ``look`` saves images of
frames, masks and maps. The data are read from the folder that the environment variable
SKANOMALY_DATA names.
"""

import argparse
import time

import numpy as np
import torch
from _pasted import KINDS, paste_walkers
from _report import note, print_table
from scipy.ndimage import gaussian_filter, uniform_filter
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skanomaly import (
    Autoencoder,
    MemAE,
    NearestNeighborDetector,
    OGNet,
    StudentTeacher,
)
from skanomaly.datasets import find_data, load_ped2
from skanomaly.metrics import per_region_overlap
from skanomaly.video import (
    FramePooling,
    MotionWindows,
    make_moving_clips,
    window_maps,
)

HELD_OUT = (3, 7, 11, 15)  # training videos
N_ROWS = 30_000  # that a detector is fitted on
PATCH = 8  # pixels: about a pedestrian

# What `choose` was run for.
WINDOWS = {"window": (10, 6), "cells": (2, 2), "length": 3, "stride": 2}
POOLING = {"neighbors": 5, "log": True, "smoothing": 3.0}
MAP_SMOOTHING = 2, 1, 1  # frames, rows, columns


def row_detectors(seed):
    """Return what is fitted on rows of motion windows."""
    shared = {"max_epochs": 20, "random_state": seed}
    return {
        "PCA": PCA(6),
        "Gaussian mixture": GaussianMixture(8, reg_covar=1e-3, random_state=seed),
        "1-NN": NearestNeighborDetector(max_samples=10_000, random_state=seed),
        "Autoencoder": Autoencoder(**shared),
        "MemAE": MemAE(**shared),
        "StudentTeacher": StudentTeacher(**shared),
        "OGNet": OGNet(**shared | {"max_epochs": 10}, batch_size=256),
    }


def clip_detectors(seed):
    """Return what is fitted on windows of 16 x 16 pixels and 4 frames."""
    shared = {
        "hidden_sizes": (16, 32, 32),
        "activation": "leaky_relu",
        "max_epochs": 10,
        "random_state": seed,
    }
    return {
        "MemAE, pixels": MemAE(**shared, memory_size=500, temperature=0.02),
        "OGNet, pixels": OGNet(**shared | {"max_epochs": 5}),
    }


# -- data ------------------------------------------------------------------------------


class Part:
    """Frames with their windows; detectors see the windows only."""

    def __init__(self, frames, video, cut):
        start = time.perf_counter()
        self.frames, self.video = frames, video
        self.X, self.places = cut(frames, video)
        self.seconds = time.perf_counter() - start


def split_training(ped2):
    """Return which training frames are fitted on, and which are held out."""
    is_held_out = np.isin(ped2.video_train, HELD_OUT)
    return ~is_held_out, is_held_out


def load_masks():
    """Load which pixels of the test frames are abnormal, at 64 x 96."""
    with np.load(find_data("ucsd_ped2/ped2_masks_240x360_packed.npz")) as arrays:
        masks = np.unpackbits(arrays["mask_packed"], axis=-1)[..., :360]
    # The nearest pixel of each pixel of the small frames.
    rows = (np.arange(64) + 0.5) * 240 / 64
    columns = (np.arange(96) + 0.5) * 360 / 96
    return masks[:, rows.astype(int)][:, :, columns.astype(int)] > 0


def some_rows(X, seed):
    """Draw the windows that a detector is fitted on."""
    chosen = np.random.RandomState(seed).permutation(len(X))[:N_ROWS]
    return X[np.sort(chosen)]


def scale_pixels(clips):
    """Scale pixels to [-1, 1]."""
    return 2 * clips - 1


def pixel_windows(step):
    """Return a function that cuts clips of 16 x 16 pixels and 4 frames."""

    def cut(frames, video):
        clips, places = make_moving_clips(frames, video, step=step)
        return scale_pixels(clips), places

    return cut


# -- figures ---------------------------------------------------------------------------


def per_video(scores, video):
    """Scale the scores of each video to [0, 1], as publications do."""
    scaled = np.empty_like(scores)
    for name in np.unique(video):
        own = video == name
        low, high = scores[own].min(), scores[own].max()
        scaled[own] = (scores[own] - low) / max(high - low, 1e-12)
    return scaled


def frame_figures(scores, offset, y, video):
    """Return both AUCs, and the fractions of frames below the threshold."""
    is_flagged = scores < offset
    return {
        "estimator": roc_auc_score(y, scores),
        "paper protocol": roc_auc_score(y, per_video(scores, video)),
        "false alarms": is_flagged[y == 1].mean(),
        "found": is_flagged[y == -1].mean(),
    }


def smooth_maps(maps, video):
    """Smooth maps in space and, within a video, in time."""
    for name in np.unique(video):
        maps[video == name] = gaussian_filter(maps[video == name], MAP_SMOOTHING)
    return maps


def evaluate(detector, fitted, held_out, test, y, pooling, masks=None):
    """Fit on windows; return figures of test frames, scores and maps."""
    start = time.perf_counter()
    detector.fit(fitted)
    fit_seconds = time.perf_counter() - start
    start = time.perf_counter()
    scores = detector.score_samples(test.X)
    seconds = time.perf_counter() - start + test.seconds
    normal = detector.score_samples(held_out.X)
    pooling.fit(normal, held_out.places, held_out.video)
    of_frames = pooling.score_frames(scores, test.places, test.video)
    figures = frame_figures(of_frames, pooling.offset_, y, test.video)
    maps = None
    if masks is not None:
        maps = window_maps(
            scores,
            test.places,
            (len(test.video), *test.frames.shape[2:]),
            WINDOWS["window"],
            fill=normal.max(),
        )
        maps = smooth_maps(maps, test.video)
        figures["PRO"] = per_region_overlap(masks, maps)
    figures["fit, s"] = fit_seconds
    figures["frames/s"] = len(test.video) / seconds
    return figures, of_frames, maps


def frame_difference(frames, video):
    """Score frames by the largest box of differences from the frame before."""
    change = np.zeros_like(frames[:, 0])
    change[1:] = np.abs(np.diff(frames[:, 0], axis=0))
    change[np.flatnonzero(np.append(True, video[1:] != video[:-1]))] = 0
    boxes = uniform_filter(change, (0, PATCH, PATCH))
    places = np.zeros((len(frames), 3), dtype=int)
    places[:, 0] = np.arange(len(frames))
    return -boxes.max(axis=(1, 2)).astype(float), places


# -- tables ----------------------------------------------------------------------------


def table(args):
    """Print the figures on the test videos."""
    ped2, masks = load_ped2(), load_masks()
    fit, held = split_training(ped2)
    parts = {
        "fit": (ped2.X_train[fit], ped2.video_train[fit]),
        "held_out": (ped2.X_train[held], ped2.video_train[held]),
        "test": (ped2.X_test, ped2.video_test),
    }
    y = ped2.y_test
    rows = {}

    def add(name, figures):
        note(name, *(f"{k} {value:.4f}" for k, value in figures.items()))
        rows.setdefault(name, []).append(figures)

    start = time.perf_counter()
    scores, places = frame_difference(*parts["test"])
    seconds = time.perf_counter() - start
    pooling = FramePooling(**POOLING | {"neighbors": 1})
    pooling.fit(*frame_difference(*parts["held_out"]), parts["held_out"][1])
    scores = pooling.score_frames(scores, places, ped2.video_test)
    figures = frame_figures(scores, pooling.offset_, y, ped2.video_test)
    add("Frame difference", figures | {"frames/s": len(y) / seconds})

    start = time.perf_counter()
    windows = MotionWindows(**WINDOWS).fit(parts["fit"][0], video=parts["fit"][1])
    cuts = {name: Part(*part, windows.transform) for name, part in parts.items()}
    note(f"motion windows: {time.perf_counter() - start:.0f} s,")
    note(*(f"{name}: {len(part.X)} windows," for name, part in cuts.items()))
    clips = {
        name: Part(*part, pixel_windows(1 if name == "fit" else 2))
        for name, part in parts.items()
    }
    note(*(f"{name}: {len(part.X)} clips," for name, part in clips.items()))
    for seed in range(args.seeds):
        test = cuts["held_out"], cuts["test"], y
        for name, detector in row_detectors(seed).items():
            detector = make_pipeline(StandardScaler(), detector)
            own = some_rows(cuts["fit"].X, seed)
            figures, *_ = evaluate(detector, own, *test, FramePooling(**POOLING), masks)
            add(name, figures)
        if seed:  # windows of pixels are slow, and far behind
            continue
        test = clips["held_out"], clips["test"], y
        for name, detector in clip_detectors(seed).items():
            pooling = FramePooling(**POOLING | {"neighbors": 1, "length": 4})
            figures, *_ = evaluate(detector, clips["fit"].X, *test, pooling)
            add(name, figures)
    print_figures(rows)


def print_figures(rows):
    """Print means and standard deviations over seeds."""
    columns = ("estimator", "paper protocol", "PRO", "false alarms", "found")
    speeds = ("fit, s", "frames/s")

    def cell(figures, column):
        values = [each[column] for each in figures if column in each]
        if not values:
            return "-"
        if column in speeds:
            return f"{np.mean(values):.0f}"
        if len(values) == 1 or np.ptp(values) == 0:
            return f"{values[0]:.3f}"
        return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"

    cells = [
        [name, *(cell(figures, column) for column in (*columns, *speeds))]
        for name, figures in rows.items()
    ]
    n_seeds = max(map(len, rows.values()))
    title = f"UCSD Ped2 at 64 x 96, {n_seeds} seeds, windows of pixels one"
    print_table(title, ("detector", *columns, *speeds), cells)


def choose(args):
    """Compare settings on held-out training videos with pasted walkers."""
    ped2 = load_ped2()
    fit, held = split_training(ped2)
    frames, video = ped2.X_train[fit], ped2.video_train[fit]
    donors = [frames[video == name, 0] for name in np.unique(video)]
    held_out = ped2.X_train[held], ped2.video_train[held]
    outlines = MotionWindows().fit(frames, video=video)
    pasted = {kind: paste_walkers(*held_out, donors, outlines, kind) for kind in KINDS}
    window_settings = {
        "as in the table": {},
        "no perspective": {"perspective": False},
        "8 x 6": {"window": (8, 6)},
        "10 x 5, 2 x 1 cells": {"window": (10, 5), "cells": (2, 1)},
        "14 x 12": {"window": (14, 12)},
        "threshold 15": {"threshold": 15.0},
        "one frame": {"length": 1},
        "five frames": {"length": 5},
    }
    pooling_settings = {
        "as in the table": {},
        "no logarithm": {"log": False},
        "no neighbors": {"neighbors": 1},
        "top 5": {"top_k": 5},
        "smoothing 0": {"smoothing": 0.0},
        "smoothing 5": {"smoothing": 5.0},
    }

    def compare(title, windows, detectors, settings):
        windows.fit(frames, video=video)
        rows = some_rows(windows.transform(frames, video)[0], 0)
        normal = Part(*held_out, windows.transform)
        parts = {
            kind: Part(with_walkers, held_out[1], windows.transform)
            for kind, (with_walkers, _) in pasted.items()
        }
        for name, detector in detectors.items():
            detector = make_pipeline(StandardScaler(), clone(detector)).fit(rows)
            at_rest = detector.score_samples(normal.X)
            scores = {
                kind: detector.score_samples(part.X) for kind, part in parts.items()
            }
            for way, setting in settings.items():
                pooling = FramePooling(**POOLING | setting)
                pooling.fit(at_rest, normal.places, normal.video)
                aucs = []
                for kind, part in parts.items():
                    y = np.where(pasted[kind][1].any(axis=(1, 2)), -1, 1)
                    of_frames = pooling.score_frames(
                        scores[kind], part.places, part.video
                    )
                    aucs.append(roc_auc_score(y, of_frames))
                level = pooling.score_frames(at_rest, normal.places, normal.video)
                alarms = [
                    (level[normal.video == one] < pooling.offset_).mean()
                    for one in HELD_OUT
                ]
                cells = [title, name, way, *(f"{auc:.3f}" for auc in aucs)]
                cells += [f"{np.mean(aucs):.3f}"]
                cells += [" ".join(f"{rate:.2f}" for rate in alarms)]
                table_rows.append(cells)
                note(*cells)

    table_rows = []
    all_detectors = row_detectors(0)
    mixture = {"Gaussian mixture": all_detectors["Gaussian mixture"]}
    own = {"as in the table": {}}
    for title, setting in window_settings.items():
        windows = MotionWindows(**WINDOWS | setting)
        is_first = not setting
        compare(title, windows, mixture, pooling_settings if is_first else own)
    del all_detectors["Gaussian mixture"]
    compare("as in the table", MotionWindows(**WINDOWS), all_detectors, own)
    header = ("windows", "detector", "pooling", *KINDS, "mean", "alarms per video")
    print_table("Frame AUC on held-out training videos", header, table_rows)


def look(args):
    """Save frames, masks and maps of a detector side by side."""
    from matplotlib import pyplot as plt

    ped2, masks = load_ped2(), load_masks()
    fit, held = split_training(ped2)
    train, video = ped2.X_train[fit], ped2.video_train[fit]
    windows = MotionWindows(**WINDOWS).fit(train, video=video)
    own = Part(train, video, windows.transform)
    held_out = Part(ped2.X_train[held], ped2.video_train[held], windows.transform)
    test = Part(ped2.X_test, ped2.video_test, windows.transform)
    detector = make_pipeline(StandardScaler(), row_detectors(0)[args.detector])
    rows, pooling = some_rows(own.X, 0), FramePooling(**POOLING)
    arguments = rows, held_out, test, ped2.y_test, pooling, masks
    _, scores, maps = evaluate(detector, *arguments)
    figure, axes = plt.subplots(12, 4, figsize=(14, 28))
    for axes_of_video, name in zip(axes, np.unique(test.video), strict=True):
        own_frames = np.flatnonzero(test.video == name)
        t = own_frames[np.argmin(scores[own_frames])]
        axes_of_video[0].imshow(test.frames[t, 0], cmap="gray")
        axes_of_video[1].imshow(masks[t], cmap="gray")
        axes_of_video[2].imshow(maps[t])
        axes_of_video[3].plot(scores[own_frames])
        axes_of_video[3].plot(ped2.y_test[own_frames])
        axes_of_video[3].axhline(pooling.offset_)
    figure.tight_layout()
    figure.savefig("ped2.png")
    note("saved ped2.png")


COMMANDS = {command.__name__: command for command in (table, choose, look)}


def main():
    """Run one command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--detector", default="Autoencoder", help="of `look`")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    COMMANDS[args.command](args)


if __name__ == "__main__":
    main()
