"""UCSD Ped2: windows of motion, with and without a network.

    python examples/reproduce/ped2.py table --seeds 3 [--pixels]
    python examples/reproduce/ped2.py choose
    python examples/reproduce/ped2.py look

``table`` prints two columns. "Estimator": the scores of all frames of all test videos
are ranked together, and one threshold from held-out training videos says which are
abnormal. "Paper protocol": the scores of each test video are scaled to [0, 1] first,
which is transductive: it takes the whole video, and tells nothing of a new frame. Most
publications have the latter.

Detectors are fitted on twelve of the sixteen training videos. The other four give scale
and threshold of the frame scores. ``choose`` fits on six of the twelve, and compares
settings on the four, with walkers pasted into them, together with the other six, whose
frames are normal and taken at another time; no test video is read. ``look`` saves
images of frames, masks and maps. ``--pixels`` adds windows of pixels, which are slow.
The data are read from the folder that the environment variable SKANOMALY_DATA names.
"""

import argparse
import time

import numpy as np
import torch
from _ped2 import (
    POOLING,
    WINDOWS,
    Part,
    clip_detectors,
    frame_difference,
    load_masks,
    pixel_windows,
    row_detectors,
    some_rows,
    split_training,
)
from _ped2_choice import choose
from _report import note, print_table
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skanomaly.datasets import load_ped2
from skanomaly.metrics import per_region_overlap
from skanomaly.video import FramePooling, MotionWindows, window_maps

MAP_SMOOTHING = 2, 1, 1  # frames, rows, columns


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
    for seed in range(args.seeds):
        test = cuts["held_out"], cuts["test"], y
        for name, detector in row_detectors(seed).items():
            detector = make_pipeline(StandardScaler(), detector)
            own = some_rows(cuts["fit"].X, seed)
            figures, *_ = evaluate(detector, own, *test, FramePooling(**POOLING), masks)
            add(name, figures)
    if args.pixels:
        clips = {
            name: Part(*part, pixel_windows(1 if name == "fit" else 2))
            for name, part in parts.items()
        }
        test = clips["held_out"], clips["test"], y
        for name, detector in clip_detectors(0).items():
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
    title = f"UCSD Ped2 at 64 x 96, {n_seeds} seeds"
    print_table(title, ("detector", *columns, *speeds), cells)


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
    parser.add_argument("--pixels", action="store_true", help="of `table`")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    COMMANDS[args.command](args)


if __name__ == "__main__":
    main()
