"""scikit-learn's own checks, on every detector; with its defaults all of them pass."""

import pickle

import numpy as np
import pytest
from helpers import (
    all_detectors,
    each_detector,
    make_detector,
    make_samples,
    own_fields,
    variants,
)
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    parametrize_with_checks,
)

from skanomaly import MemAE

# The checks' tables are tiny, and MemAE says so; scikit-learn's own suite leaves
# warnings of convergence out of account, too.
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)
SMALL_IMAGES = (1, 5, 4)
# Rows with all options; images with those of the detector's own.
EACH_VARIANT = [
    pytest.param(cls, params, kind, id=f"{cls.__name__}-{kind}-{nth}")
    for cls in all_detectors()
    for kind, names in {"rows": None, "images": own_fields(cls)}.items()
    for nth, params in enumerate(variants(cls, names))
]


def expected_failures(estimator):
    """Name the checks that count outliers among samples that aren't held out.

    They ask for exactly the fraction `contamination` of the samples given to `fit`.
    With early stopping the threshold is that of the held-out ones, so that the fraction
    holds for new samples; tests/test_calibration.py asks for that.
    """
    if not estimator.early_stopping:
        return {}
    reason = "contamination is the fraction of the held-out samples"
    return dict.fromkeys(["check_outliers_fit_predict", "check_outliers_train"], reason)


@ignore_convergence
@pytest.mark.filterwarnings("ignore:X has values of about")
@parametrize_with_checks(
    [make_detector(cls, max_epochs=2) for cls in all_detectors()]
    + [make_detector(MemAE, max_epochs=2, early_stopping=True)],
    expected_failed_checks=expected_failures,
)
def test_estimator_check(estimator, check):
    check(estimator)


@ignore_convergence
@pytest.mark.filterwarnings("ignore:X has values of about")
@each_detector
@pytest.mark.parametrize(
    "check",
    [
        check_dataframe_column_names_consistency,
        check_inplace_ensure_writeable,
        check_param_validation,
    ],
)
def test_further_check(Detector, check):
    check(Detector.__name__, make_detector(Detector, max_epochs=2))


@ignore_convergence
@pytest.mark.parametrize(("Detector", "params", "kind"), EACH_VARIANT)
def test_each_option(Detector, params, kind):
    X = make_samples(SMALL_IMAGES if kind == "images" else kind, 40)
    settings = {"max_epochs": 2, "batch_size": 32, "random_state": 0}
    detector = make_detector(Detector, **settings, **params).fit(X)
    scores = detector.score_samples(X)
    assert np.isfinite(scores).all()
    assert np.array_equal(detector.score_samples(X[::-1]), scores[::-1])
    if not detector.early_stopping:  # whose threshold is that of held-out samples
        assert (detector.predict(X) == -1).mean() == pytest.approx(0.1)
    maps = detector.anomaly_map(X)
    assert maps.shape == X.shape
    shipped = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(shipped.score_samples(X), scores)
    assert np.array_equal(shipped.anomaly_map(X), maps)
