"""What a folder of scores was asked for, so that nothing is mixed up on a restart."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skanomaly._files import replacing
from skanomaly._sources import RowSource

from ._score_frame import score_columns

NAME = "_score_batches.json"
_ROWS_COMPARED = 100


def check_manifest(
    sink: Path,
    estimator: Any,
    parts: Sequence[RowSource],
    features: list[str] | None,
    keep: list[str],
) -> None:
    """Write what is asked for, or raise if the folder holds something else."""
    asked = {
        "parts": [part.stamp() for part in parts],
        "features": features,
        "keep": keep,
        "estimator": type(estimator).__name__,
        "first_scores": _first_scores(estimator, parts, features),
    }
    try:
        sink.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(
            f"sink must be a folder, and {sink} is, or is in, a file."
        ) from error
    path = sink / NAME
    if path.exists():
        _compare(sink, _read(path), asked)
        return
    if any(sink.glob("*.parquet")):
        raise ValueError(
            f"{sink} holds Parquet files that score_batches didn't write. Choose "
            "another folder."
        )
    with replacing(path) as draft:
        draft.write_text(json.dumps(asked, indent=1))


def _read(path: Path) -> dict[str, Any]:
    """Return what a folder was asked for, or say that it can't be known."""
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        found = error
    if not isinstance(found, dict):
        raise ValueError(
            f"{path} is damaged. Delete the folder to score anew, or choose another."
        )
    return found


def _compare(sink: Path, found: dict[str, Any], asked: dict[str, Any]) -> None:
    """Raise if two runs differ, and say in what."""
    differing = [
        name
        for name, value in asked.items()
        if name != "first_scores" and found.get(name) != value
    ]
    # Another processor may round differently.
    scores, others = asked["first_scores"], found.get("first_scores", {})
    if not differing and not (
        scores.keys() == others.keys()
        and all(
            np.allclose(scores[name], others[name], 1e-4, 1e-9, equal_nan=True)
            for name in scores
        )
    ):
        differing = ["first_scores"]
    if differing:
        raise ValueError(
            f"{sink} holds scores that were asked for with other "
            f"{' and '.join(differing)} (see {NAME} there). Choose another folder, or "
            "delete this one to score anew."
        )


def _first_scores(
    estimator: Any, parts: Sequence[RowSource], features: list[str] | None
) -> dict[str, list[float]]:
    """Return what an estimator says of the first rows, by which it is known."""
    for part in parts:
        if not part.shape[0]:
            continue
        found = score_columns(estimator, part.first_frame(_ROWS_COMPARED, features))
        return {name: values.tolist() for name, values in found.items()}
    return {}
