"""scikit-learn's own checks, on every detector, with no expected failures."""

import pytest
from helpers import all_detectors, each_detector, variants
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    parametrize_with_checks,
)

# The checks' tables are tiny, and MemAE says so; scikit-learn's own suite leaves
# warnings of convergence out of account, too.
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


@ignore_convergence
@parametrize_with_checks([cls(max_epochs=20) for cls in all_detectors()] + variants())
def test_estimator_check(estimator, check):
    check(estimator)


@ignore_convergence
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
    check(Detector.__name__, Detector(max_epochs=2))
