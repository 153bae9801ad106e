"""Displays: what they draw, and what they refuse."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.colors import to_rgba
from sklearn.datasets import make_blobs
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import average_precision_score, det_curve, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import OneClassSVM

from skanomaly import Autoencoder, DetectorEnsemble, FAnoGAN, MemAE
from skanomaly.calibration import ConformalDetector
from skanomaly.inspection import (
    AnomalyMapDisplay,
    HistoryDisplay,
    PrototypesDisplay,
    ReasonsDisplay,
    ReconstructionDisplay,
    ScoreDisplay,
)
from skanomaly.metrics import (
    DetCurveDisplay,
    PrecisionRecallDisplay,
    RocCurveDisplay,
    outlier_scorer,
)
from skanomaly.model_selection import NoveltyDetector, NoveltySplit

QUICK = {"max_epochs": 2, "hidden_sizes": (4,), "random_state": 0}


@pytest.fixture(autouse=True)
def _no_windows():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def rows():
    """Inliers around one center and a few outliers; labels 1 and -1."""
    X, _ = make_blobs(110, 3, centers=1, random_state=0)
    y = np.repeat([1, -1], [100, 10])
    return X + 5 * (y == -1)[:, np.newaxis], y


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((30, 1, 6, 4))


@pytest.fixture(scope="module")
def image_detector(images):
    return Autoencoder(**QUICK).fit(images)


@pytest.fixture(scope="module")
def clip_detector():
    clips = np.random.default_rng(0).random((20, 2, 3, 6, 4))
    return Autoencoder(**QUICK).fit(clips), clips


def colors(display):
    """Return the drawn image without opacity."""
    return np.asarray(display.image_.get_array())[..., :3]


# Scores


def test_scores_are_counted_by_class(rows):
    X, y = rows
    forest = IsolationForest(random_state=0).fit(X)
    display = ScoreDisplay.from_estimator(forest, X, y, bins=7)
    inliers, outliers = (
        np.array([bar.get_height() for bar in bars]) for bars in display.bars_
    )
    scores = forest.score_samples(X)
    edges = np.histogram_bin_edges(scores, 7)
    np.testing.assert_array_equal(inliers, np.histogram(scores[y == 1], edges)[0])
    np.testing.assert_array_equal(outliers, np.histogram(scores[y == -1], edges)[0])
    assert display.line_.get_xdata()[0] == forest.offset_
    shown = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert shown == ["inliers", "outliers", "threshold"]
    assert display.figure_ is display.ax_.figure


def test_scores_without_labels_or_threshold():
    figure, ax = plt.subplots()
    display = ScoreDisplay.from_predictions([1.0, 2.0, 3.0], ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert display.line_ is None
    assert len(display.bars_) == 1
    assert sum(bar.get_height() for bar in display.bars_[0]) == 3


@pytest.mark.parametrize(("lowest", "scale"), [(-3, "linear"), (-1e4, "function")])
def test_a_long_tail_gets_another_axis(lowest, scale):
    scores = np.append(np.linspace(-2, -1, 99), lowest)
    display = ScoreDisplay.from_predictions(scores)
    assert display.ax_.get_xscale() == scale
    counts = [bar.get_height() for bar in display.bars_[0]]
    assert sum(counts) == 100
    assert max(counts) < 50  # all of them, on a linear axis with the tail
    assert ScoreDisplay(scores).plot(xscale="linear").ax_.get_xscale() == "linear"


def test_no_sample_is_left_out_of_another_axis():
    for seed in range(20):
        scores = np.random.default_rng(seed).standard_cauchy(30)
        display = ScoreDisplay(scores).plot(xscale="asinh")
        assert sum(bar.get_height() for bar in display.bars_[0]) == 30
        plt.close()


def test_equal_scores_are_drawn():
    display = ScoreDisplay.from_predictions(np.full(5, -3.0))
    assert sum(bar.get_height() for bar in display.bars_[0]) == 5


def wrapped(kind):
    pipeline = make_pipeline(StandardScaler(), IsolationForest(random_state=0))
    return {
        "pipeline": pipeline,
        "conformal": ConformalDetector(pipeline, alpha=0.2, random_state=0),
        "ensemble": DetectorEnsemble([("forest", pipeline)], random_state=0),
        "novelty": NoveltyDetector(pipeline),
        "search": GridSearchCV(
            pipeline,
            {"isolationforest__n_estimators": [5]},
            scoring=outlier_scorer("roc_auc"),
            cv=NoveltySplit(2),
        ),
        "array": OneClassSVM(),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["pipeline", "conformal", "ensemble", "novelty", "search", "array"]
)
def test_the_threshold_is_that_of_predict(rows, kind):
    X, y = rows
    detector = wrapped(kind).fit(X, y)
    display = ScoreDisplay.from_estimator(detector, X)
    scores = detector.score_samples(X)
    np.testing.assert_array_equal(display.scores, scores)
    found = detector.predict(X) == -1
    np.testing.assert_array_equal(scores < display.threshold, found)


def test_no_threshold_of_a_detector_inside(rows):
    """That of a ConformalDetector may not exist, and no other one takes its place."""
    detector = ConformalDetector(IsolationForest(), alpha=0.2, random_state=0)
    detector.fit(rows[0]).set_params(alpha=1e-6)
    assert ScoreDisplay.from_estimator(detector, rows[0]).threshold is None


def test_labels_in_another_coding():
    display = ScoreDisplay.from_predictions([1.0, 2.0], [1, 0])
    assert display.is_outlier.tolist() == [True, False]
    display = ScoreDisplay.from_predictions([1.0, 2.0], ["a", "b"], outlier_label="b")
    assert display.is_outlier.tolist() == [False, True]


@pytest.mark.parametrize(
    ("scores", "y", "message"),
    [
        ([1.0, 2.0], [1, -1, 1], "inconsistent numbers of samples"),
        ([1.0, np.nan], None, "scores contains NaN"),
        ([[1.0], [2.0]], None, r"the shape \(n_samples,\), got \(2, 1\)"),
        ([1.0, 2.0], [3, 4], "Labels must be"),
    ],
)
def test_scores_that_are_refused(scores, y, message):
    with pytest.raises(ValueError, match=message):
        ScoreDisplay.from_predictions(scores, y)


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="xscale must be"):
        ScoreDisplay.from_predictions([1.0, 2.0], xscale="log")


def test_labels_of_other_samples_are_refused_before_scores(rows):
    X, y = rows
    with pytest.raises(ValueError, match="inconsistent"):
        ScoreDisplay.from_estimator(IsolationForest().fit(X), X, y[1:])


# History


def test_losses_are_drawn_by_network_and_phase(rows):
    detector = FAnoGAN(n_critic_steps=1, **QUICK | {"max_epochs": 4}).fit(rows[0])
    display = HistoryDisplay.from_estimator(detector)
    assert list(display.losses) == [
        "train_discriminator_loss",
        "train_generator_loss",
        "train_encoder_loss",
    ]
    history = pd.DataFrame(detector.history_)
    for line, name in zip(display.lines_, display.losses, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), history[name])
        np.testing.assert_array_equal(line.get_xdata(), history["epoch"])
    assert len({line.get_color() for line in display.lines_}) == 3
    assert [text.get_text() for text in display.ax_.texts] == ["GAN", "encoder"]


def test_held_out_losses_are_dashed(rows):
    X, _ = rows
    detector = Autoencoder(**QUICK, early_stopping=True).fit(X)
    pipeline = make_pipeline(StandardScaler(), FrozenEstimator(detector)).fit(X)
    display = HistoryDisplay.from_estimator(FrozenEstimator(pipeline))
    styles = {line.get_label(): line.get_linestyle() for line in display.lines_}
    assert styles == {"training loss": "-", "held-out loss": "--"}
    assert len({line.get_color() for line in display.lines_}) == 1
    assert not display.ax_.texts


@pytest.mark.parametrize(
    ("losses", "scale"), [([1000.0, 1.0], "log"), ([3.0, 1.0], "linear")]
)
def test_losses_that_differ_much_get_a_logarithmic_axis(losses, scale):
    history = [{"epoch": i, "train_loss": loss} for i, loss in enumerate(losses)]
    assert HistoryDisplay.from_history(history).ax_.get_yscale() == scale
    display = HistoryDisplay.from_history(history, yscale="linear")
    assert display.ax_.get_yscale() == "linear"


@pytest.mark.parametrize("history", [[], [{"epoch": 1}]])
def test_a_history_without_losses_is_refused(history):
    with pytest.raises(ValueError, match="no losses"):
        HistoryDisplay.from_history(history)


# Maps


def test_a_map_lies_over_its_image(image_detector, images):
    display = AnomalyMapDisplay.from_estimator(image_detector, images[:3])
    maps = image_detector.anomaly_map(images[:3])[:, 0]
    drawn = np.ma.getdata(display.map_.get_array())
    np.testing.assert_array_equal(drawn[:6, :4], maps[0])
    np.testing.assert_array_equal(drawn[:6, -4:], maps[2])
    assert np.isnan(drawn[:, 4]).all()
    np.testing.assert_array_equal(colors(display)[:6, :4, 1], images[0, 0])
    opacity = np.asarray(display.image_.get_array())[..., 3]
    np.testing.assert_array_equal(opacity == 0, np.isnan(drawn))
    titles = [text.get_text() for text in display.ax_.texts]
    scores = image_detector.score_samples(images[:3])
    assert titles == [f"{score:.3g}" for score in scores]
    assert display.colorbar_.mappable is display.map_


def test_the_least_abnormal_pixel_is_transparent(image_detector, images):
    display = AnomalyMapDisplay.from_estimator(image_detector, images[:1], alpha=0.7)
    opacity = display.map_.cmap([0.0, 1.0])[:, 3]
    np.testing.assert_allclose(opacity, [0, 0.7])


def test_maps_in_rows_and_columns():
    images, maps = np.zeros((5, 1, 6, 4)), np.arange(5.0).repeat(24).reshape(5, 6, 4)
    display = AnomalyMapDisplay.from_predictions(images, maps, n_columns=2)
    drawn = display.map_.get_array().data
    assert drawn.shape[0] > 3 * 6
    assert drawn.shape[1] < 3 * 4
    np.testing.assert_array_equal(drawn[-6:, :4], maps[4])
    assert display.colorbar_ is not None
    assert display.plot(colorbar=False, map_kwargs={"vmax": 9}).colorbar_ is None
    assert display.map_.get_clim() == (0, 9)


def test_a_clip_shows_its_most_abnormal_frame(clip_detector):
    detector, clips = clip_detector
    display = AnomalyMapDisplay.from_estimator(detector, clips[:2])
    maps = detector.anomaly_map(clips[:2]).sum(axis=1)
    most = maps.sum(axis=(2, 3)).argmax(axis=1)
    np.testing.assert_allclose(display.maps, maps[[0, 1], most])
    expected = clips[[0, 1], :, most].mean(axis=1)
    np.testing.assert_allclose(display.images[..., 0], expected)
    display = AnomalyMapDisplay.from_estimator(detector, clips[:2], frame=[2, -3])
    np.testing.assert_allclose(display.maps, maps[[0, 1], [2, 0]])


@pytest.mark.parametrize("frame", [3, -4, 1.5, [0, 1, 2], "first"])
def test_a_frame_that_is_not_there(clip_detector, frame):
    detector, clips = clip_detector
    with pytest.raises(ValueError, match="frame"):
        AnomalyMapDisplay.from_estimator(detector, clips[:2], frame=frame)


def test_flat_images_in_a_pipeline(images):
    flat = 100 * images.reshape(30, -1)
    detector = Autoencoder(**QUICK, sample_shape=(1, 6, 4))
    pipeline = make_pipeline(MinMaxScaler(), detector).fit(flat)
    inside = pipeline[0].transform(flat)
    display = AnomalyMapDisplay.from_estimator(pipeline, flat[:2])
    expected = pipeline[-1].anomaly_map(inside[:2]).reshape(2, 6, 4)
    np.testing.assert_array_equal(display.maps, expected)
    np.testing.assert_array_equal(display.scores, pipeline.score_samples(flat[:2]))
    # The image is the user's own, scaled to colors as a whole.
    low, high = flat[:2].min(), flat[:2].max()
    shown = (images[:2, 0] * 100 - low) / (high - low)
    np.testing.assert_allclose(display.images[..., 2], shown)


def test_color_images_keep_their_colors():
    X = np.random.default_rng(0).random((2, 3, 5, 5))
    display = AnomalyMapDisplay.from_predictions(X, X)
    np.testing.assert_array_equal(display.images, np.moveaxis(X, 1, -1))
    np.testing.assert_array_equal(display.maps, X.sum(axis=1))


def test_a_conformal_detector_has_maps(images):
    detector = ConformalDetector(Autoencoder(**QUICK), alpha=0.2, random_state=0)
    detector.fit(images)
    display = AnomalyMapDisplay.from_estimator(detector, images[:1])
    expected = detector.detector_.anomaly_map(images[:1])
    np.testing.assert_array_equal(display.maps, expected[:, 0])


@pytest.mark.parametrize(
    ("X", "maps", "message"),
    [
        (np.zeros((2, 5)), np.zeros((2, 5)), "draws images"),
        (np.zeros((5, 5)), np.zeros((5, 5)), "draws images"),
        (np.zeros((2, 1, 5, 5)), np.zeros((2, 5, 4)), "must have the shape of X"),
        (np.zeros((2, 1, 5, 5)), np.zeros((3, 5, 5)), "must have the shape of X"),
        (np.full((2, 1, 5, 5), np.nan), np.zeros((2, 5, 5)), "X contains NaN"),
        (np.zeros((2, 1, 5, 5)), np.full((2, 5, 5), np.inf), "maps contains infinity"),
    ],
)
def test_maps_that_are_refused(X, maps, message):
    with pytest.raises(ValueError, match=message):
        AnomalyMapDisplay.from_predictions(X, maps)


def test_columns_that_are_refused(image_detector, images):
    with pytest.raises(ValueError, match="n_columns must be at least 1, got 0"):
        AnomalyMapDisplay.from_estimator(image_detector, images, n_columns=0)


def test_as_many_scores_as_maps():
    X = np.zeros((2, 1, 5, 5))
    with pytest.raises(ValueError, match="inconsistent"):
        AnomalyMapDisplay.from_predictions(X, X, scores=[1.0])


# Reconstructions


def test_reconstructions_stand_below_samples(image_detector, images):
    display = ReconstructionDisplay.from_estimator(image_detector, images[:2])
    rec = image_detector.reconstruct(images[:2])
    drawn, errors = colors(display), display.error_.get_array().data
    np.testing.assert_allclose(drawn[:6, :4, 0], images[0, 0])
    np.testing.assert_allclose(drawn[7:13, -4:, 0], rec[1, 0].clip(0, 1))
    np.testing.assert_allclose(errors[-6:, :4], (images[0, 0] - rec[0, 0]) ** 2)
    assert np.isnan(errors[:13]).all()
    assert (np.asarray(display.image_.get_array())[-6:, :, 3] == 0).all()
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == ["sample", "reconstruction", "error"]


def test_reconstruction_of_the_frame_with_the_largest_error(clip_detector):
    detector, clips = clip_detector
    display = ReconstructionDisplay.from_estimator(detector, clips[:2])
    errors = ((clips[:2] - detector.reconstruct(clips[:2])) ** 2).sum(axis=1)
    most = errors.sum(axis=(2, 3)).argmax(axis=1)
    np.testing.assert_allclose(display.errors, errors[[0, 1], most])


def test_reconstruction_and_sample_have_one_scale():
    X = np.linspace(-1, 1, 25).reshape(1, 1, 5, 5)
    display = ReconstructionDisplay.from_predictions(X, X / 2)
    np.testing.assert_allclose(display.images.min(), 0)
    np.testing.assert_allclose(display.reconstructions[0, 0, 0], 0.25)


def test_reconstructions_that_are_refused(image_detector, rows):
    X = np.zeros((2, 1, 5, 5))
    with pytest.raises(ValueError, match="X_rec must have the shape of X"):
        ReconstructionDisplay.from_predictions(X, X[:1])
    detector = Autoencoder(**QUICK).fit(rows[0])
    with pytest.raises(ValueError, match="draws images"):
        ReconstructionDisplay.from_estimator(detector, rows[0])


# Prototypes

few_epochs = pytest.mark.filterwarnings("ignore:The memory has collapsed")


@few_epochs
def test_prototypes_of_images(images):
    detector = MemAE(memory_size=5, memory_init="uniform", **QUICK).fit(images)
    display = PrototypesDisplay.from_estimator(detector, n_columns=3)
    assert display.colorbar_ is None
    drawn = colors(display)
    np.testing.assert_array_equal(drawn[:6, :4], display.prototypes[0])
    np.testing.assert_array_equal(drawn[-6:, 5:9], display.prototypes[4])
    items = detector.prototypes()[:, 0]
    order = np.argsort(items.ravel())
    assert (np.diff(display.prototypes[..., 0].ravel()[order]) >= 0).all()


@few_epochs
def test_prototypes_of_rows_name_their_features(rows):
    X = pd.DataFrame(rows[0], columns=["a", "b", "c"])
    detector = MemAE(memory_size=4, memory_init="uniform", **QUICK)
    pipeline = make_pipeline(StandardScaler(), detector).fit(X)
    display = PrototypesDisplay.from_estimator(pipeline)
    np.testing.assert_array_equal(display.image_.get_array(), pipeline[-1].prototypes())
    names = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert names == ["a", "b", "c"]
    bare = MemAE(memory_size=4, memory_init="uniform", **QUICK).fit(rows[0])
    display = PrototypesDisplay.from_estimator(bare)
    assert display.feature_names.tolist() == ["x0", "x1", "x2"]


@few_epochs
def test_prototypes_of_clips(clip_detector):
    detector = MemAE(memory_size=3, memory_init="uniform", **QUICK)
    detector.fit(clip_detector[1])
    assert PrototypesDisplay.from_estimator(detector).prototypes.shape == (3, 6, 4, 3)
    with pytest.raises(ValueError, match="not in clips of 3 frames"):
        PrototypesDisplay.from_estimator(detector, frame=3)


# Reasons

REASONS = {
    "sample": [3, 3, 3, 5],
    "column": ["age", "city", "size", "age"],
    "value": [230, "Ulm", None, 1.23456],
    "expected": [44.5, None, 2.0, 44.0],
    "share": [0.7, 0.2, 0.1, 0.4],
}


def as_objects(frame=pd.DataFrame):
    if frame is pd.DataFrame:
        return pd.DataFrame(REASONS, dtype=object)
    texts = {**REASONS, "value": ["230", "Ulm", None, "1.23"]}
    return pl.DataFrame(texts)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_reasons_of_a_sample_are_bars(frame):
    display = ReasonsDisplay.from_reasons(as_objects(frame), sample=3)
    assert [bar.get_width() for bar in display.bars_] == [0.7, 0.2, 0.1]
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == [
        "age = 230\n(expected 44.5)",
        "city = Ulm",
        "size is missing\n(expected 2)",
    ]
    low, high = display.ax_.get_ylim()
    assert low > high  # the first reason is on top
    display.plot(bar_kwargs={"color": "red"})
    assert display.bars_[0].get_facecolor() == to_rgba("red")


def test_reasons_of_the_only_sample():
    one = as_objects().iloc[3:]
    assert ReasonsDisplay.from_reasons(one).share.tolist() == [0.4]


def test_reasons_of_any_detector(rows):
    X, y = rows
    frame = pd.DataFrame(X[y == 1], columns=["a", "b", "c"])
    frame.loc[3, "b"] = 99.0
    forest = IsolationForest(random_state=0).fit(frame)
    display = ReasonsDisplay.from_estimator(forest, frame, sample=3)
    assert display.column[0] == "b"
    assert display.value[0] == 99.0
    # What replaces it is normal: a value of the inliers, and not its own.
    assert frame["b"].quantile(0.3) < display.expected[0] < frame["b"].quantile(0.7)
    assert [bar.get_width() for bar in display.bars_] == display.share.tolist()
    from_end = ReasonsDisplay.from_estimator(forest, frame, sample=3 - len(frame))
    assert from_end.share.tolist() == display.share.tolist()
    assert len(ReasonsDisplay.from_estimator(forest, frame, sample=3, top=1).share) == 1


@pytest.mark.parametrize("sample", [200, -201, 1.0, "a"])
def test_a_sample_that_is_not_there(rows, sample):
    forest = IsolationForest(random_state=0).fit(rows[0])
    with pytest.raises(ValueError, match=r"position in X, which has 110 samples"):
        ReasonsDisplay.from_estimator(forest, rows[0], sample=sample)


def test_reasons_that_are_refused():
    frame = as_objects()
    with pytest.raises(ValueError, match="3, 5; got None"):
        ReasonsDisplay.from_reasons(frame)
    with pytest.raises(ValueError, match="got 4"):
        ReasonsDisplay.from_reasons(frame, sample=4)
    with pytest.raises(ValueError, match="missing: share"):
        ReasonsDisplay.from_reasons(frame.drop(columns="share"), sample=3)
    with pytest.raises(TypeError, match="got dict"):
        ReasonsDisplay.from_reasons(REASONS, sample=3)


# Curves


@pytest.mark.parametrize("coding", [(1, -1), (0, 1)])
def test_curves_take_outliers_as_positive(rows, coding):
    X, y = rows
    forest = IsolationForest(random_state=0).fit(X)
    scores = forest.score_samples(X)
    labels = np.where(y == -1, coding[1], coding[0])
    display = RocCurveDisplay.from_estimator(forest, X, labels)
    assert display.roc_auc == roc_auc_score(y == -1, -scores)
    assert "Positive label: outlier" in display.ax_.get_xlabel()
    (text,) = display.ax_.get_legend().get_texts()
    assert text.get_text() == f"IsolationForest (AUC = {display.roc_auc:.2f})"
    display = PrecisionRecallDisplay.from_estimator(forest, X, labels, name="forest")
    expected = average_precision_score(y == -1, -scores)
    assert display.average_precision == pytest.approx(expected)
    display = DetCurveDisplay.from_predictions(labels, scores)
    fpr, fnr, _ = det_curve(y == -1, -scores)
    np.testing.assert_allclose([display.fpr, display.fnr], [fpr, fnr], atol=1e-9)


def test_curves_are_drawn_on_given_axes(rows):
    X, y = rows
    _, ax = plt.subplots()
    forest = IsolationForest(random_state=0).fit(X)
    display = RocCurveDisplay.from_estimator(
        forest, X, y, ax=ax, plot_chance_level=True
    )
    assert display.ax_ is ax
    assert display.chance_level_ is not None
    np.testing.assert_array_equal(display.line_.get_xdata(), display.fpr)


@pytest.mark.parametrize(
    "cv", [NoveltySplit(3), KFold(3, shuffle=True, random_state=0)]
)
@pytest.mark.parametrize("display_class", [RocCurveDisplay, PrecisionRecallDisplay])
def test_a_curve_for_each_fold(rows, cv, display_class):
    X, y = rows
    results = cross_validate(
        LocalOutlierFactor(novelty=True),
        X,
        y,
        cv=cv,
        scoring={
            name: outlier_scorer(name) for name in ("roc_auc", "average_precision")
        },
        return_estimator=True,
        return_indices=True,
    )
    display = display_class.from_cv_results(results, X, y)
    is_roc = display_class is RocCurveDisplay
    areas = display.roc_auc if is_roc else display.average_precision
    expected = results[f"test_{'roc_auc' if is_roc else 'average_precision'}"]
    np.testing.assert_allclose(areas, expected)
    assert len(display.line_) == 3
    with pytest.raises(ValueError, match="return_estimator"):
        display_class.from_cv_results({}, X, y)


@pytest.mark.parametrize(
    "display_class", [RocCurveDisplay, PrecisionRecallDisplay, DetCurveDisplay]
)
def test_curves_that_are_refused(display_class):
    with pytest.raises(ValueError, match="all 2 are outliers"):
        display_class.from_predictions([-1, -1], [1.0, 2.0])
    with pytest.raises(ValueError, match="all 2 are inliers"):
        display_class.from_predictions(["a", "a"], [1.0, 2.0], outlier_label="b")
    with pytest.raises(ValueError, match="inconsistent"):
        display_class.from_predictions([1, -1], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="All labels are 1"):
        display_class.from_predictions([1, 1], [1.0, 2.0])


# What all have in common

FROM_ESTIMATOR = [
    ScoreDisplay,
    HistoryDisplay,
    AnomalyMapDisplay,
    ReconstructionDisplay,
    PrototypesDisplay,
    ReasonsDisplay,
    RocCurveDisplay,
    PrecisionRecallDisplay,
    DetCurveDisplay,
]


def arguments(display_class, X):
    if display_class in (HistoryDisplay, PrototypesDisplay):
        return ()
    is_curve = display_class.__module__.startswith("skanomaly.metrics")
    return (X, np.arange(len(X)) % 2) if is_curve else (X,)


@pytest.mark.parametrize("display_class", FROM_ESTIMATOR)
def test_an_unfitted_estimator_is_refused(display_class, images):
    for estimator in (Autoencoder(), make_pipeline(MinMaxScaler(), Autoencoder())):
        with pytest.raises(NotFittedError):
            display_class.from_estimator(estimator, *arguments(display_class, images))


@pytest.mark.parametrize(
    ("display_class", "needed"),
    [
        (HistoryDisplay, "history_"),
        (AnomalyMapDisplay, "anomaly_map"),
        (ReconstructionDisplay, "reconstruct"),
        (PrototypesDisplay, "prototypes"),
    ],
)
def test_a_detector_that_lacks_it_is_refused(rows, display_class, needed):
    X, _ = rows
    pipeline = make_pipeline(StandardScaler(), IsolationForest()).fit(X)
    message = f"needs a detector that has {needed}, and IsolationForest has none"
    with pytest.raises(TypeError, match=message):
        display_class.from_estimator(pipeline, *arguments(display_class, X))
    ensemble = DetectorEnsemble([("forest", IsolationForest())]).fit(X)
    with pytest.raises(TypeError, match="one of its members: forest"):
        display_class.from_estimator(ensemble, *arguments(display_class, X))


def test_importing_does_not_import_matplotlib():
    code = (
        "import sys, skanomaly.inspection, skanomaly.metrics; "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_extra_is_named_where_matplotlib_is_missing(monkeypatch, rows):
    X, y = rows
    forest = IsolationForest().fit(X)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    attempts = {
        "ScoreDisplay.from_estimator": lambda: ScoreDisplay.from_estimator(forest, X),
        "ScoreDisplay.plot": lambda: ScoreDisplay(X[:, 0]).plot(),
        "HistoryDisplay.from_history": lambda: HistoryDisplay.from_history([]),
        "RocCurveDisplay.from_estimator": lambda: RocCurveDisplay.from_estimator(
            forest, X, y
        ),
    }
    for name, attempt in attempts.items():
        with pytest.raises(ImportError, match=rf"{name} needs .*skanomaly\[plots\]"):
            attempt()
