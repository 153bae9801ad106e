"""Track a training with MLflow: parameters, losses, metrics, and the fitted pipeline.

    pip install 'skanomaly[tracking]'
    python examples/tracking/log_to_mlflow.py --store sqlite:///mlflow.db

writes files to ``mlruns`` and all else to the store, which ``mlflow ui
--backend-store-uri sqlite:///mlflow.db`` of the whole of MLflow shows.
"""

import argparse
import tempfile
from pathlib import Path

import mlflow
from sklearn.model_selection import train_test_split
from skorch.callbacks import MlflowLogger

import skanomaly
from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer
from skanomaly.metrics import outlier_scorer
from skanomaly.preprocessing import TRUSTED_TYPES

# MLflow writes a pipeline if it is told the types that skops doesn't know.
TYPES = [*TRUSTED_TYPES, "skanomaly.detectors.autoencoder.Autoencoder"]


def fit(X):
    """Fit a pipeline: autolog logs its parameters, and skorch its losses."""
    mlflow.sklearn.autolog(
        log_models=False, log_datasets=False, log_post_training_metrics=False
    )
    logger = MlflowLogger(
        create_artifact=False, terminate_after_train=False, keys_ignored=["phase"]
    )
    network = Autoencoder(
        max_epochs=30,
        early_stopping=True,
        random_state=0,
        net_params={"callbacks": [logger]},
    )
    pipeline = make_tabular_pipeline(network).fit(X)
    # Callbacks belong to the fit, and can't be saved.
    return pipeline.set_params(detector__net_params=None)


def log_metrics(pipeline, X, y):
    """Log the metrics of labelled samples."""
    for name in ("roc_auc", "average_precision"):
        mlflow.log_metric(name, outlier_scorer(name)(pipeline, X, y))


def log_pipeline(pipeline):
    """Log the file of `skanomaly.save`, and a model of MLflow's registry."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.skops"
        skanomaly.save(pipeline, path)
        mlflow.log_artifact(path)
    mlflow.sklearn.log_model(
        pipeline,
        name="pipeline",
        serialization_format="skops",
        skops_trusted_types=TYPES,
        pyfunc_predict_fn="score_samples",
        pip_requirements=["skanomaly[persistence]"],
    )


def load_pipeline(run_id):
    """Load the fitted pipeline of a run; no code in the file is run.

    `mlflow.sklearn.load_model` asks to be allowed to run code, as it reads the types to
    trust from the model itself.
    """
    return skanomaly.load(
        mlflow.artifacts.download_artifacts(f"runs:/{run_id}/pipeline.skops")
    )


def main():
    """Log a run, load what it logged, and print what is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", default="sqlite:///mlflow.db")
    args = parser.parse_args()
    # MLflow's store of plain files is no longer developed.
    mlflow.set_tracking_uri(args.store)
    mlflow.set_experiment("breast cancer")
    cancer = load_breast_cancer()
    X, y = cancer.data, cancer.target
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    with mlflow.start_run() as run:
        pipeline = fit(X_train[y_train == 1])
        log_metrics(pipeline, X_test, y_test)
        log_pipeline(pipeline)
    logged = mlflow.get_run(run.info.run_id).data
    losses = mlflow.MlflowClient().get_metric_history(run.info.run_id, "valid_loss")
    loaded = load_pipeline(run.info.run_id)
    is_same = (loaded.score_samples(X_test) == pipeline.score_samples(X_test)).all()
    print(f"run {run.info.run_id}: {len(losses)} epochs")
    print(f"learning rate {logged.params['detector__learning_rate']}")
    print(f"AUC {logged.metrics['roc_auc']:.3f}")
    print(f"loaded pipeline has the same scores: {is_same}")


if __name__ == "__main__":
    main()
