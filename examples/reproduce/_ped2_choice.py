"""The choice of settings of `ped2.py`, on training videos alone."""

import numpy as np
from _pasted import KINDS, paste_walkers
from _ped2 import (
    HELD_OUT,
    POOLING,
    WINDOWS,
    Part,
    row_detectors,
    some_rows,
    split_training,
)
from _report import note, print_table
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skanomaly.datasets import load_ped2
from skanomaly.video import FramePooling, MotionWindows

CHOSEN_BY = ("Gaussian mixture",)
HALVES = (1, 2, 4, 5, 6, 8), (9, 10, 12, 13, 14, 16)
FEATURES = {
    "as in the table": lambda part: part.X,
    "with the row": lambda part: np.c_[part.X, part.places[:, 1]],
    "no squared speeds": lambda part: np.delete(part.X, slice(3, None, 4), axis=1),
}
POOLING_SETTINGS = {
    "no neighbors": {"neighbors": 1},
    "top 5": {"top_k": 5},
    "smoothing 0": {"smoothing": 0.0},
    "smoothing 5": {"smoothing": 5.0},
}
WINDOW_SETTINGS = {
    "perspective": {"perspective": True},
    "three frames": {"length": 3},
}


def choose(args):
    """Compare settings on training videos, some with pasted walkers."""
    ped2 = load_ped2()
    fit, held = split_training(ped2)
    frames, video = ped2.X_train[fit], ped2.video_train[fit]
    donors = [frames[video == name, 0] for name in np.unique(video)]
    held_out = ped2.X_train[held], ped2.video_train[held]
    outlines = MotionWindows().fit(frames, video=video)
    pasted = {kind: paste_walkers(*held_out, donors, outlines, kind) for kind in KINDS}
    is_pasted = {kind: masks.any(axis=(1, 2)) for kind, (_, masks) in pasted.items()}
    all_detectors = row_detectors(0)
    table_rows = []

    def cut(windows):
        windows.fit(frames, video=video)
        films = {kind: (film, held_out[1]) for kind, (film, _) in pasted.items()}
        for half in HALVES:
            is_in = np.isin(video, half)
            films[half] = frames[is_in], video[is_in]
        films[HELD_OUT] = held_out
        return {name: Part(*film, windows.transform) for name, film in films.items()}

    def compare(title, parts, features, settings):
        for name in CHOSEN_BY:
            found = {way: [] for way in settings}
            for fitted, other in (HALVES, HALVES[::-1]):
                rows = some_rows(features(parts[fitted]), 0)
                detector = make_pipeline(StandardScaler(), clone(all_detectors[name]))
                detector.fit(rows)
                scores = {
                    each: detector.score_samples(features(part))
                    for each, part in parts.items()
                    if each != fitted
                }
                for way, setting in settings.items():
                    of_frames, offset = pool(parts, scores, setting)
                    normal = of_frames[other]
                    aucs = [
                        roc_auc_score(
                            np.append(
                                np.where(is_pasted[kind], -1, 1), np.ones(len(normal))
                            ),
                            np.append(of_frames[kind], normal),
                        )
                        for kind in KINDS
                    ]
                    found[way].append([*aucs, np.mean(aucs), (normal < offset).mean()])
            for way, figures in found.items():
                cells = [f"{figure:.3f}" for figure in np.mean(figures, axis=0)]
                table_rows.append([title, name, way, *cells])
                note(*table_rows[-1])

    parts = cut(MotionWindows(**WINDOWS))
    own = {"as in the table": {}}
    for title, features in FEATURES.items():
        is_first = title == "as in the table"
        compare(title, parts, features, own | POOLING_SETTINGS if is_first else own)
    for title, setting in WINDOW_SETTINGS.items():
        parts = cut(MotionWindows(**WINDOWS | setting))
        compare(title, parts, FEATURES["as in the table"], own)
    header = ("windows", "detector", "pooling", *KINDS, "mean", "false alarms")
    print_table("Frame AUC on training videos, two halves", header, table_rows)


def pool(parts, scores, setting):
    """Return the scores of frames of each part, and the threshold."""
    pooling = FramePooling(**POOLING | setting)
    held_out = parts[HELD_OUT]
    pooling.fit(scores[HELD_OUT], held_out.places, held_out.video)
    of_frames = {
        name: pooling.score_frames(own, parts[name].places, parts[name].video)
        for name, own in scores.items()
    }
    return of_frames, pooling.offset_
