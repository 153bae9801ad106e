"""Scores of samples by a fitted network."""

from typing import Any

import numpy as np
from torch import Tensor

from .training import Data, DetectorNet, Streams
from .training.passes import evaluate
from .training.progress import scoring_bar

# An infinite score is of no use to a metric; no finite one is larger than this.
LARGEST_SCORE = float(np.finfo(np.float32).max)


def make_data(
    detector: Any,
    X: Any,
    device: str,
    streams: Streams | None = None,
) -> Data:
    """Return validated samples as a network on this device takes them."""
    progress = scoring_bar(type(detector).__name__) if detector.verbose == 1 else None
    return Data(X, device=device, streams=streams, progress=progress)


def score_data(net: DetectorNet, data: Data) -> Tensor:
    """Score samples. The one place where the sign is flipped."""
    score = evaluate(net.module_, "score", data)
    # A sample so extreme that the network overflows is as abnormal as can be. In place:
    # of very many samples even the scores are large.
    return score.nan_to_num_(nan=LARGEST_SCORE, posinf=LARGEST_SCORE).neg_()
