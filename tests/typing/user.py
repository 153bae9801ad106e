"""A user's script, which `mypy --strict` must find nothing wrong with."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import skanomaly
from skanomaly import (
    Autoencoder,
    DeepEnsemble,
    DetectorEnsemble,
    MemAE,
    NearestNeighborDetector,
    default_ensemble,
    make_tabular_pipeline,
)
from skanomaly.calibration import ConformalDetector
from skanomaly.inspection import ScoreDisplay, explain, report
from skanomaly.metrics import per_region_overlap, precision_recall_f1_at
from skanomaly.model_selection import NoveltyDetector, make_synthetic_outliers
from skanomaly.out_of_core import fit_batches, score_batches
from skanomaly.video import MotionWindows, frame_scores, make_clips


def fit_and_score(X: NDArray[np.float32]) -> NDArray[np.bool_]:
    detector: Autoencoder = Autoencoder(max_epochs=3, random_state=0).fit(X)
    scores: NDArray[np.float64] = detector.score_samples(X)
    margins: NDArray[np.float64] = detector.decision_function(X)
    labels: NDArray[np.int64] = detector.fit_predict(X)
    maps: NDArray[np.float64] = detector.anomaly_map(X)
    threshold: float = detector.offset_
    assert maps.shape == X.shape
    assert len(margins) == len(labels)
    is_outlier: NDArray[np.bool_] = scores < threshold
    return is_outlier


def follow(chunks: list[NDArray[np.float32]]) -> Autoencoder:
    detector = Autoencoder()
    for chunk in chunks:
        detector = detector.partial_fit(chunk)
    return detector


def combine(X: NDArray[np.float32]) -> NDArray[np.float64]:
    together: DeepEnsemble = DeepEnsemble(MemAE(), n_estimators=3).fit(X)
    other = DetectorEnsemble([("near", NearestNeighborDetector()), ("deep", together)])
    both: DetectorEnsemble = other.fit(X)
    default: DetectorEnsemble = default_ensemble(random_state=0).fit(X)
    scores: NDArray[np.float64] = both.score_samples(X) + default.score_samples(X)
    return scores


def calibrate(X: NDArray[np.float32]) -> NDArray[np.float64]:
    detector: ConformalDetector = ConformalDetector(Autoencoder(), alpha=0.01).fit(X)
    found: NDArray[np.int64] = detector.predict_batch(X, fdr=0.1)
    p_values: NDArray[np.float64] = detector.p_values(X)
    rejected: NDArray[np.float64] = p_values[found == -1]
    return rejected


def use_labels(X: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    detector: NoveltyDetector = NoveltyDetector(Autoencoder()).fit(X, y)
    outliers: NDArray[np.float64] = make_synthetic_outliers(X, random_state=0)
    assert len(outliers)
    return precision_recall_f1_at(y, detector.score_samples(X), 0.1)[2]


def ship(table: object, folder: Path) -> None:
    pipeline = make_tabular_pipeline(Autoencoder(), drop=["key"]).fit(table)
    skanomaly.save(pipeline, folder / "detector.skops")
    loaded = skanomaly.load(folder / "detector.skops", trusted=["my.Detector"])
    skanomaly.to_onnx(loaded, folder / "detector.onnx", table)
    reasons = explain(loaded, table, top=3)
    print(reasons.head())
    report(loaded, table, path=folder / "report.html")
    ScoreDisplay.from_estimator(loaded, table).plot()


def score_much(source: Path, sink: Path) -> list[Path]:
    pipeline = fit_batches(make_tabular_pipeline(Autoencoder()), source)
    return score_batches(pipeline, source, sink, keep=["key"], n_jobs=2)


def watch(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    clips = make_clips(frames, length=8)
    detector = Autoencoder().fit(clips)
    windows, places = MotionWindows().fit(frames).transform(frames)
    assert len(windows) == len(places)
    scores: NDArray[np.float64] = frame_scores(detector, frames)
    print(per_region_overlap(frames > 0, frames))
    return scores
