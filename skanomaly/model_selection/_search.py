"""Grid search for a novelty detector, where some outliers are labelled."""

import time
from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.metadata_routing import process_routing

from skanomaly._decorators import fit_context
from skanomaly._version import VersionMixin
from skanomaly.metrics import is_outlier, outlier_scorer
from skanomaly.metrics._scorer import SKLEARN_SCORER

from ._detector import fit_on_inliers
from ._split import NoveltySplit

__all__ = ["NoveltySearchCV"]


class NoveltySearchCV(VersionMixin, GridSearchCV):
    """Grid search for a novelty detector, where some outliers are labelled.

    As `sklearn.model_selection.GridSearchCV`, but each candidate is fitted on the
    inliers of a training fold and evaluated on inliers and outliers of the test fold,
    and `best_estimator_` is fitted on all inliers and on no outlier. Labels may have
    any coding, and metrics given by name count outliers as the positive class.

    Parameters
    ----------
    estimator : estimator
        Outlier detector, or a Pipeline that ends with one.
    param_grid : dict or list of dict
        Names of parameters and the values to try.
    scoring : str, callable, list, tuple, dict or None, default="roc_auc"
        What to choose by. Names of scikit-learn's scorers, such as "roc_auc" and
        "average_precision", and scorers made by `sklearn.metrics.make_scorer` are
        passed to `skanomaly.metrics.outlier_scorer`. Other callables are called as
        ``scoring(estimator, X, y)`` with labels as they are given to `fit`. Several
        metrics, and None, are as for GridSearchCV.
    n_jobs : int or None, default=None
        Number of processes.
    refit : bool, str or callable, default=True
        Whether `best_estimator_` is fitted on the inliers. With several metrics, the
        name of the one to choose by; a callable returns `best_index_` from
        `cv_results_`.
    cv : int, splitter, iterable or None, default=None
        What makes the folds, as for `NoveltySplit`, around which it is put; None makes
        five stratified folds.
    outlier_label : int, str or None, default=None
        The label of outliers. None recognizes 1 and -1 (outlier), and 0 and 1
        (outlier).
    verbose : int, default=0
        As for GridSearchCV.
    pre_dispatch : int or str, default="2*n_jobs"
        As for GridSearchCV.
    error_score : "raise" or float, default=nan
        The score of a candidate that can't be fitted; "raise" raises its error.
    return_train_score : bool, default=False
        As for GridSearchCV. Training folds have no outliers, so metrics that need both
        kinds are NaN there.

    Attributes
    ----------
    best_estimator_ : estimator
        The best candidate, fitted on all inliers. Only defined if `refit` is not False.
    best_params_ : dict
        Its parameters.
    best_score_ : float
        Its mean score over the test folds. Not defined if `refit` is a callable.
    best_index_ : int
        Its index in `cv_results_`.
    cv_results_ : dict of ndarray
        As of GridSearchCV.
    scorer_ : callable or dict
        What scored the candidates.
    n_splits_ : int
        Number of folds.
    multimetric_ : bool
        Whether there are several metrics.
    refit_time_ : float
        Seconds that the fit of `best_estimator_` took.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `best_estimator_` has them.

    See Also
    --------
    NoveltyDetector : The same for any other search, and wherever a detector is fitted.
    synthetic_outlier_scorer : Choosing without labels.

    Notes
    -----
    GridSearchCV itself would fit `best_estimator_` on all samples, outliers included,
    whatever its folds were.

    Examples
    --------
    >>> from sklearn.neighbors import LocalOutlierFactor
    >>> from skanomaly import make_tabular_pipeline
    >>> from skanomaly.datasets import load_breast_cancer
    >>> from skanomaly.model_selection import NoveltySearchCV
    >>> cancer = load_breast_cancer()
    >>> search = NoveltySearchCV(
    ...     make_tabular_pipeline(LocalOutlierFactor(novelty=True)),
    ...     {"detector__n_neighbors": [5, 50]},
    ...     cv=3,
    ... )
    >>> search.fit(cancer.data, cancer.target).best_params_
    {'detector__n_neighbors': 50}
    >>> search.best_estimator_[-1].n_samples_fit_, int((cancer.target == 1).sum())
    (357, 357)
    """

    _parameter_constraints = {
        **GridSearchCV._parameter_constraints,
        "outlier_label": "no_validation",
    }

    def __init__(
        self,
        estimator: Any,
        param_grid: dict[str, Any] | list[dict[str, Any]],
        *,
        scoring: Any = "roc_auc",
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        outlier_label: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.outlier_label = outlier_label

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Evaluate all candidates, and fit the best one on the inliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the estimator takes them.
        y : array-like of shape (n_samples,)
            Labels.
        **params : dict
            Passed to `fit` of the estimator, to the scorer and to the splitter, as by
            GridSearchCV; ``groups``, for example, to the splitter.

        Returns
        -------
        self : object
            Fitted search.

        Raises
        ------
        ValueError
            If there are no labels, if they are no coding of outliers, or if there are
            fewer outliers than folds.
        """
        if y is None:
            raise ValueError(
                "NoveltySearchCV needs y, to know which samples are outliers; got "
                "None. To choose without labels use GridSearchCV with "
                "scoring=synthetic_outlier_scorer()."
            )
        outlier = is_outlier(y, self.outlier_label)
        if isinstance(self.scoring, list | tuple | set | dict):
            self._check_metric_of_refit(self.scoring)
        search = GridSearchCV(**self._search_params()).fit(X, y, **params)
        for name, value in vars(search).items():
            is_left_out = name == "best_score_" and callable(self.refit)
            if name.endswith("_") and not name.startswith("_") and not is_left_out:
                setattr(self, name, value)
        if self.refit is False:
            return self
        self._select()
        best = {name: clone(v, safe=False) for name, v in self.best_params_.items()}
        self.best_estimator_ = clone(self.estimator).set_params(**best)
        if get_config()["enable_metadata_routing"]:
            params = process_routing(search, "fit", **params).estimator.fit
        else:
            params = {name: v for name, v in params.items() if name != "groups"}
        start = time.time()
        fit_on_inliers(self.best_estimator_, X, y, outlier, params)
        self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        return self

    def _select(self):
        """Set the attributes of the best candidate, as GridSearchCV defines it."""
        results, metric = self.cv_results_, "score"
        if self.multimetric_:
            metric, start = self.refit, "mean_test_"
            names = [key.removeprefix(start) for key in results if start in key]
            self._check_metric_of_refit(names)
        if callable(self.refit):
            self.best_index_ = self.refit(results)
        else:
            self.best_index_ = results[f"rank_test_{metric}"].argmin()
            self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]

    def _check_metric_of_refit(self, metrics):
        """Raise if there are several metrics and none is named to choose by."""
        if self.refit is False or callable(self.refit) or self.refit in metrics:
            return
        raise ValueError(
            "With several metrics, refit must name the one to choose by, be a callable "
            f"or be False; the metrics are {list(metrics)}, got refit={self.refit!r}."
        )

    def _search_params(self):
        """Return the parameters of the GridSearchCV that evaluates the candidates."""
        params = self.get_params(deep=False)
        label = params.pop("outlier_label")
        cv = 5 if self.cv is None else self.cv
        if not isinstance(cv, NoveltySplit):
            cv = NoveltySplit(cv, outlier_label=label)
        return {**params, "scoring": self._find_scoring(), "cv": cv, "refit": False}

    def _find_scoring(self):
        """Return `scoring` with scikit-learn's scorers made into those of outliers."""
        if isinstance(self.scoring, list | tuple | set):
            return {name: self._for_outliers(name) for name in self.scoring}
        if isinstance(self.scoring, dict):
            return {k: self._for_outliers(v) for k, v in self.scoring.items()}
        return self._for_outliers(self.scoring)

    def _for_outliers(self, scoring):
        if isinstance(scoring, (str, SKLEARN_SCORER)):
            return outlier_scorer(scoring, outlier_label=self.outlier_label)
        return scoring
