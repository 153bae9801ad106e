"""The detector that docs/developing.rst walks through, taken from the page itself."""

import doctest
import importlib
import pickle
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import QUICK, make_outliers, make_samples
from numpydoc.validate import validate
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import check_estimator

import skanomaly

PAGE = Path(__file__).parents[1] / "docs" / "developing.rst"
CAPTION = "   :caption: deep_svdd.py\n"
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

each_shape = pytest.mark.parametrize("kind", ["rows", "images", "clips"])


def split_page():
    """Return the file below its caption, and the page without it."""
    before, after = PAGE.read_text().split(CAPTION)
    lines = after.splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if line.strip() and line[0] != " ")
    listing = textwrap.dedent("".join(lines[:end])).strip() + "\n"
    return listing, before + "".join(lines[end:])


@pytest.fixture(scope="module", name="DeepSVDD")
def import_deep_svdd(tmp_path_factory):
    """Import the file as a reader would; pickle has to find the class again."""
    folder = tmp_path_factory.mktemp("detector")
    (folder / "deep_svdd.py").write_text(split_page()[0])
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("deep_svdd").DeepSVDD
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("deep_svdd", None)


def test_the_tables_name_every_file():
    package = Path(skanomaly.__file__).parent
    files = [*package.glob("_[a-z]*.py"), *(package / "training").glob("[a-z]*.py")]
    packages = {f.parent.name for f in package.glob("[!_]*/__init__.py")}
    toolkit = {"calibration", "ensemble", "metrics", "model_selection", "preprocessing"}
    toolkit |= {"datasets", "video"}
    names = {f.name for f in files} | (packages - toolkit)
    assert len(names) > 40
    assert not [name for name in names if f"``{name}``" not in PAGE.read_text()]


def test_the_file_is_short():
    assert 50 < len(split_page()[0].splitlines()) <= 80


def test_the_page_is_true(DeepSVDD):
    _, text = split_page()
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    results = doctest.DocTestRunner(optionflags=OPTIONS).run(test)
    assert results.attempted > 5
    assert not results.failed


def test_docstring(DeepSVDD):
    results = doctest.testmod(sys.modules[DeepSVDD.__module__], optionflags=OPTIONS)
    assert results.attempted
    assert not results.failed
    ignored = {"ES01", "SA01", "RT02", "GL01", "GL02"}
    errors = validate("deep_svdd.DeepSVDD")["errors"]
    assert not [error for error in errors if error[0] not in ignored]


@pytest.mark.filterwarnings("ignore:X has values of about")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks(DeepSVDD):
    check_estimator(DeepSVDD(max_epochs=5))


@each_shape
def test_outliers_score_lower(DeepSVDD, kind):
    detector = DeepSVDD(**QUICK, random_state=0).fit(make_samples(kind))
    inliers, outliers = make_samples(kind, seed=2), make_outliers(kind)
    scores = detector.score_samples(np.concatenate([inliers, outliers]))
    is_inlier = np.arange(len(scores)) < len(inliers)
    assert roc_auc_score(is_inlier, scores) > 0.95


@each_shape
def test_seeds_decide(DeepSVDD, kind):
    X = make_samples(kind)
    first, again, other = (
        DeepSVDD(**QUICK, random_state=seed).fit(X).score_samples(X)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


@each_shape
def test_a_score_does_not_depend_on_the_batch(DeepSVDD, kind):
    X = make_samples(kind)
    detector = DeepSVDD(**QUICK, random_state=0).fit(X)
    together = detector.score_samples(X)
    alone = [detector.score_samples(X[[n]])[0] for n in range(0, 100, 20)]
    np.testing.assert_array_equal(alone, together[::20])


def test_it_survives_pickling(DeepSVDD):
    X = make_samples()
    detector = DeepSVDD(**QUICK, random_state=0).fit(X)
    copy = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(copy.score_samples(X), detector.score_samples(X))


@each_shape
def test_map_sums_to_the_score_less_that_of_the_mean(DeepSVDD, kind):
    X = make_samples(kind)
    detector = DeepSVDD(**QUICK, activation="gelu", random_state=0).fit(X)
    total = detector.anomaly_map(X).sum(axis=tuple(range(1, X.ndim)))
    scores = -detector.score_samples(X)
    of_mean = -detector.score_samples(X.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(total, scores - of_mean, rtol=0.05, atol=1e-3)


def test_the_center_is_the_mean_output_of_the_first_weights(DeepSVDD):
    X = make_samples()
    # With so small a learning rate the weights are the first ones still.
    settings = {"max_epochs": 1, "learning_rate": 1e-12, "random_state": 0}
    module = DeepSVDD(**settings).fit(X).module_
    assert all(parameter.ndim > 1 for parameter in module.parameters())  # no biases
    with torch.no_grad():
        mean = module.encoder(torch.from_numpy(X)).mean(0)
    is_small = mean.abs() < 0.1
    assert is_small.any()
    torch.testing.assert_close(module.c[~is_small], mean[~is_small])
    torch.testing.assert_close(module.c[is_small], 0.1 * mean[is_small].sign())


def test_the_center_stays_in_a_warm_start(DeepSVDD):
    X = make_samples()
    detector = DeepSVDD(**QUICK, warm_start=True, random_state=0).fit(X)
    center = detector.module_.c.clone()
    torch.testing.assert_close(detector.fit(X + 1).module_.c, center)
    assert detector.n_iter_ == 2 * QUICK["max_epochs"]


def test_weight_decay_makes_weights_smaller(DeepSVDD):
    X = make_samples()
    norms = [
        sum(
            float(weight.detach().square().sum())
            for weight in DeepSVDD(**QUICK, weight_decay=decay, random_state=0)
            .fit(X)
            .module_.parameters()
        )
        for decay in (0, 1)
    ]
    assert norms[1] < norms[0]
