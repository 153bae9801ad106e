"""Follow and change a training by callbacks of skorch, one's own among them.

    python examples/tracking/write_epochs.py --output epochs.jsonl

``net_params={"callbacks": [...]}`` takes all callbacks of skorch, those for TensorBoard
and Weights & Biases too; log_to_mlflow.py has the one for MLflow.
"""

import argparse
import json
from pathlib import Path

from skorch.callbacks import Callback, LRScheduler

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer


class WriteEpochs(Callback):
    """Write a line of JSON after each epoch, so that ``tail -f`` shows it."""

    def __init__(self, path):
        self.path = path

    def on_train_begin(self, net, **kwargs):
        """Begin the file anew."""
        Path(self.path).write_text("")

    def on_epoch_end(self, net, **kwargs):
        """Write the numbers and texts of the epoch."""
        epoch = net.history[-1]
        line = {k: v for k, v in epoch.items() if isinstance(v, int | float | str)}
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")


def main():
    """Train with a learning rate that falls, and print the last line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="epochs.jsonl")
    parser.add_argument("--max-epochs", type=int, default=30)
    args = parser.parse_args()
    callbacks = [
        WriteEpochs(args.output),
        LRScheduler("StepLR", step_size=10, gamma=0.5),
    ]
    network = Autoencoder(
        max_epochs=args.max_epochs,
        early_stopping=True,
        random_state=0,
        net_params={"callbacks": callbacks},
    )
    cancer = load_breast_cancer()
    make_tabular_pipeline(network).fit(cancer.data[cancer.target == 1])
    print(Path(args.output).read_text().splitlines()[-1])


if __name__ == "__main__":
    main()
