"""Data, windows and detectors of `ped2.py`."""

import time

import numpy as np
from scipy.ndimage import uniform_filter
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from skanomaly import (
    Autoencoder,
    MemAE,
    NearestNeighborDetector,
    OGNet,
    StudentTeacher,
)
from skanomaly.datasets import find_data
from skanomaly.video import make_moving_clips

HELD_OUT = (3, 7, 11, 15)  # training videos
N_ROWS = 30_000  # that a detector is fitted on
PATCH = 8  # pixels: about a pedestrian

# What `choose` was run for.
WINDOWS = {"window": (10, 6), "cells": (2, 2), "length": 1, "stride": 2}
POOLING = {"neighbors": 5, "smoothing": 3.0}
# As wide as the denoising autoencoder, without a bottleneck.
WIDE = {"hidden_sizes": (256,), "latent_size": 256, "activation": "leaky_relu"}


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
        "OGNet": OGNet(**shared, batch_size=256),
        "OGNet, wide": OGNet(**shared, **WIDE, batch_size=256),
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


def pixel_windows(step):
    """Return a function that cuts clips of 16 x 16 pixels and 4 frames."""

    def cut(frames, video):
        clips, places = make_moving_clips(frames, video, step=step)
        return 2 * clips - 1, places  # pixels in [-1, 1]

    return cut


def frame_difference(frames, video):
    """Score frames by the largest box of differences from the frame before."""
    change = np.zeros_like(frames[:, 0])
    change[1:] = np.abs(np.diff(frames[:, 0], axis=0))
    change[np.flatnonzero(np.append(True, video[1:] != video[:-1]))] = 0
    boxes = uniform_filter(change, (0, PATCH, PATCH))
    places = np.zeros((len(frames), 3), dtype=int)
    places[:, 0] = np.arange(len(frames))
    return -boxes.max(axis=(1, 2)).astype(float), places
