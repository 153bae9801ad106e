"""A report of a detector's scores as one page of HTML."""

import os
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from itertools import count
from numbers import Integral
from pathlib import Path
from platform import python_version
from string import Template
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skanomaly._decorators import validate_params
from skanomaly._files import check_path, replacing
from skanomaly._matplotlib import check_matplotlib

from ._innermost import find_threshold, innermost, shape_of
from ._plot._history import HistoryDisplay
from ._plot._scores import ScoreDisplay
from ._report_anomalies import anomaly_section
from ._report_data import data_section
from ._report_html import TEXT_COLOR, element, figure, join, section, table
from ._samples import read_samples
from ._text import show

_MOST_LETTERS = 300  # of a parameter
_PACKAGES = (
    "skanomaly",
    "scikit-learn",
    "skorch",
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "polars",
)


@validate_params(
    {
        "path": [str, os.PathLike],
        "top": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def report(
    estimator: Any,
    X: Any,
    *,
    path: str | os.PathLike = "report.html",
    top: int = 20,
    reference: Any = None,
) -> Path:
    """Write a report of scores, anomalies and training as one page of HTML.

    The page needs no network and no other file. It has the distribution of the scores
    with the threshold; the most abnormal samples with the reasons, or with anomaly maps
    of images; a summary of the columns; the losses of training; and parameters and
    versions. It is light or dark as the browser is.

    Parameters
    ----------
    estimator : estimator
        A fitted outlier detector with `score_samples`, of this package or of
        scikit-learn, or a Pipeline or meta-estimator around one.
    X : {DataFrame, array-like, sparse matrix} of shape (n_samples, ...)
        The samples, as the estimator takes them: a table, images or clips.
    path : str or path-like, default="report.html"
        The file. One that is there is replaced when the page is complete.
    top : int, default=20
        Number of samples that are shown.
    reference : {DataFrame, array-like} of shape (n_reference, n_columns), default=None
        Normal rows, whose values are taken where reasons are found by replacing values;
        None takes the rows of X that `predict` calls inliers.

    Returns
    -------
    path : pathlib.Path
        The file.

    Raises
    ------
    TypeError
        If `estimator` has no `score_samples`, or if X can't be read.
    ValueError
        If a score is not finite, or if there are too few normal rows to find reasons.
    OSError
        If `path` is a folder, or in a folder that isn't there.
    ImportError
        If matplotlib is not installed.

    See Also
    --------
    explain : Reasons as a frame.
    ScoreDisplay : The distribution of the scores alone.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skanomaly.inspection import report
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> forest = IsolationForest(random_state=0).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     report(forest, X, path=Path(folder) / "scores.html").name
    'scores.html'
    """
    check_matplotlib("report")
    file = check_path(path)
    check_is_fitted(estimator)
    if not hasattr(estimator, "score_samples"):
        raise TypeError(
            f"{type(estimator).__name__} has no score_samples. (LocalOutlierFactor has "
            "it with novelty=True.)"
        )
    samples = _read_table(estimator, X)
    scores = np.asarray(estimator.score_samples(X), dtype=float)
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{np.sum(~np.isfinite(scores))} of {len(scores)} scores are NaN or "
            f"infinite. Check {estimator}."
        )
    threshold = find_threshold(estimator)
    title = f"Anomalies found by {type(innermost(estimator)).__name__}"
    template = files("skanomaly.inspection").joinpath("_report.html")
    page = Template(template.read_text("utf-8")).substitute(
        title=join([title]),
        subtitle=join([f"{datetime.now():%Y-%m-%d %H:%M}"]),
        facts=_facts(scores, threshold, samples),
        sections=join(
            [
                _score_section(scores, threshold),
                anomaly_section(estimator, X, samples, scores, top, reference),
                data_section(estimator, X, samples),
                *map(_training_section, count(), _trained(estimator)),
                _parameter_section(estimator),
                _version_section(),
            ]
        ),
    )
    with replacing(file) as draft:
        draft.write_text(page, encoding="utf-8")
    return file


def _read_table(estimator, X):
    """Return the samples as a table, or None if they are images or clips."""
    shape = getattr(innermost(estimator), "input_shape_", ())
    names = getattr(estimator, "feature_names_in_", None)
    is_image = len(shape) > 1 or len(shape_of(X)) > 2
    return None if is_image else read_samples(X, names)


def _facts(scores, threshold, samples):
    """Return the figures of the report that are looked at first."""
    facts = {"samples": f"{len(scores):,}"}
    if samples is not None:
        facts["columns"] = f"{len(samples.names):,}"
    if threshold is not None:
        n_found = int((scores < threshold).sum())
        facts["below the threshold"] = f"{n_found:,} ({n_found / len(scores):.1%})"
        facts["threshold"] = show(threshold)
    pairs = (join([element("dt", k), element("dd", v)]) for k, v in facts.items())
    return element("dl", join(element("div", pair) for pair in pairs), class_="facts")


def _score_section(scores, threshold):
    def draw(ax):
        # A logarithmic scale shows the bars of single samples, too.
        ScoreDisplay(scores, threshold=threshold).plot(
            ax,
            hist_kwargs={"alpha": 1, "log": True},
            threshold_kwargs={"color": TEXT_COLOR},
        )
        ax.set_ylim(bottom=0.5)
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)

    caption = "histogram of the scores, with the threshold"
    return section("Scores", figure(draw, "scores", caption, 2.8))


def _trained(estimator, name=None):
    """Yield the name and the history of each detector that was trained in epochs."""
    inner = innermost(estimator)
    if getattr(inner, "history_", None):
        yield name or type(inner).__name__, inner.history_
    for name, member in getattr(inner, "named_estimators_", {}).items():
        if member != "drop":
            yield from _trained(member, name)


def _training_section(number, trained):
    name, history = trained

    def draw(ax):
        HistoryDisplay.from_history(history, ax=ax)

    seconds = sum(row.get("dur", 0.0) for row in history)
    told = element("p", f"{len(history)} epochs in {seconds:.1f} s", class_="muted")
    caption = f"losses of {name} by epoch"
    drawn = figure(draw, f"history{number}", caption, 2.8)
    return section(f"Training of {name}", told, drawn)


def _parameter_section(estimator):
    """Return the parameters, those of steps and members included."""
    rows = []
    for name, value in sorted(estimator.get_params(deep=True).items()):
        if not hasattr(value, "get_params") and name not in ("steps", "estimators"):
            rows.append([name, element("code", _shorten(repr(value)))])
    listed = element("div", table(["parameter", "value"], rows), class_="scroll")
    summary = element("summary", f"{len(rows)} parameters")
    shown = element("pre", element("code", repr(estimator)), class_="scroll")
    return section("Parameters", shown, element("details", join([summary, listed])))


def _version_section():
    rows = [["Python", python_version()]]
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            rows.append([package, version(package)])
    return section("Versions", table(["package", "version"], rows))


def _shorten(text):
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
