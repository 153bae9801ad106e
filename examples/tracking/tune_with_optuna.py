"""Tune a detector with Optuna, by labelled outliers that are never trained on.

    pip install 'skanomaly[tracking]'
    python examples/tracking/tune_with_optuna.py --trials 20

A trial is a setting, scored on one fold after the other, and is pruned where the first
folds are worse than those of the other trials. ``--storage sqlite:///study.db`` keeps
the study, which a second call continues, in another process too.
"""

import argparse

import numpy as np
import optuna
from sklearn.model_selection import cross_val_score

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer
from skanomaly.metrics import outlier_scorer
from skanomaly.model_selection import NoveltySplit


def make_pipeline(trial, max_epochs):
    """Make a pipeline with the parameters of a trial."""
    network = Autoencoder(
        latent_size=trial.suggest_int("latent_size", 2, 32, log=True),
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        noise_std=trial.suggest_float("noise_std", 0.01, 1.0, log=True),
        max_epochs=max_epochs,
        random_state=0,
    )
    return make_tabular_pipeline(network)


def evaluate(trial, X, y, max_epochs):
    """Return the mean score over the folds, or stop after one of them."""
    pipeline, scores = make_pipeline(trial, max_epochs), []
    for n, fold in enumerate(NoveltySplit(3).split(X, y)):
        scores += cross_val_score(
            pipeline,
            X,
            y,
            cv=[fold],
            scoring=outlier_scorer("average_precision"),
            error_score="raise",
        ).tolist()
        trial.report(np.mean(scores), n)
        if trial.should_prune():
            raise optuna.TrialPruned
    return np.mean(scores)


def main():
    """Run a study, and fit the best setting on all inliers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--max-epochs", type=int, default=100)
    parser.add_argument("--storage", help="such as sqlite:///study.db")
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    cancer = load_breast_cancer()
    X, y = cancer.data, cancer.target
    study = optuna.create_study(
        study_name="autoencoder",
        storage=args.storage,
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
    )
    study.optimize(
        lambda trial: evaluate(trial, X, y, args.max_epochs), n_trials=args.trials
    )
    states = [trial.state.name for trial in study.trials]
    print(f"{states.count('COMPLETE')} trials, {states.count('PRUNED')} pruned")
    print(f"average precision {study.best_value:.3f} with {study.best_params}")
    best = make_pipeline(study.best_trial, args.max_epochs).fit(X[y == 1])
    print(best)


if __name__ == "__main__":
    main()
