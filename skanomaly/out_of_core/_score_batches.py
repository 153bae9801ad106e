"""Scores of whole data sets, written part by part."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from skanomaly._files import replacing
from skanomaly._sources import RowSource, check_pyarrow, open_source

from ._manifest import check_manifest
from ._score_frame import as_names, check_scores, find_features, score_columns

_NAMES_OF_PARTS = "part-{:05d}.parquet"


def score_batches(
    estimator: Any,
    source: Any,
    sink: str | os.PathLike,
    *,
    keep: Sequence[str] = (),
    n_jobs: int | None = None,
) -> list[Path]:
    """Score data larger than memory and write the scores to a Parquet data set.

    Of each Parquet file, and of each million rows of anything else, a part is written,
    with its rows in their order. A part is there as a whole or not at all. What was
    stopped, by whatever, goes on when it is called again with the same arguments: parts
    that are there are not scored again.

    Parameters
    ----------
    estimator : estimator
        A fitted outlier detector with `score_samples`, of this package or of
        scikit-learn, or a Pipeline. It gets tables as frames of pandas.
    source : RowSource or what `open_source` opens
        Rows; columns that the estimator was not fitted on are left out.
    sink : path
        Folder of the parts; it is made if it isn't there. Workers on other machines
        must have it under the same path.
    keep : sequence of str, default=()
        Columns that are copied to the result, such as keys.
    n_jobs : int or None, default=None
        Number of parts that are scored at once, by joblib: None means 1 unless in a
        ``joblib.parallel_config`` context, of Dask for example, and -1 all processors.

    Returns
    -------
    paths : list of Path
        The parts, in the order of the rows. The columns are those of `score_frame`.

    Raises
    ------
    TypeError
        If `estimator` has no `score_samples`, or another argument is of a wrong type.
    ValueError
        If the sink holds scores of another estimator, other data, or with other `keep`;
        if columns are missing, or if values can't be scored.
    OSError
        If a part can't be read or written. Parts that are complete stay.
    ImportError
        If pyarrow is not installed: ``pip install 'skanomaly[arrow]'``.

    See Also
    --------
    score_frame : The same for one frame, for other engines.

    Notes
    -----
    A file ``_score_batches.json`` in the sink holds what was asked for: the parts with
    sizes and times of their files, the columns, and the scores of the first rows, by
    which another estimator is noticed. Readers of Parquet data sets pass over it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import pyarrow.parquet as pq
    >>> from skanomaly import NearestNeighborDetector
    >>> from skanomaly.out_of_core import score_batches
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> with tempfile.TemporaryDirectory() as sink:
    ...     paths = score_batches(NearestNeighborDetector().fit(X), X, sink)
    ...     pq.read_table(paths[0]).schema
    score: double
    prediction: int8
    """
    check_pyarrow()
    check_scores(estimator)
    keep = as_names(keep)
    if not isinstance(sink, str | os.PathLike):
        raise TypeError(f"sink must be the path of a folder, got {sink!r}.")
    rows = open_source(source)
    features = _find_features(estimator, rows, keep)
    parts = rows.parts()
    sink = Path(sink)
    check_manifest(sink, estimator, parts, features, keep)
    paths = [sink / _NAMES_OF_PARTS.format(nth) for nth in range(len(parts))]
    for draft in sink.glob(".part-*.parquet"):  # of a process that was killed
        draft.unlink()
    Parallel(n_jobs=n_jobs)(
        delayed(_score_part)(estimator, part, features, keep, path)
        for part, path in zip(parts, paths, strict=True)
        if not path.exists()
    )
    return paths


def _find_features(
    estimator: Any, rows: RowSource, keep: list[str]
) -> list[str] | None:
    """Name the columns that are scored; None if they have no names."""
    if rows.columns is None:
        if keep:
            raise ValueError(f"keep={keep}, but the columns of an array have no names.")
        return None
    return find_features(estimator, rows.columns, keep, rows.all_columns)


def _score_part(
    estimator: Any,
    rows: RowSource,
    features: list[str] | None,
    keep: list[str],
    path: Path,
) -> None:
    """Score the rows of a part and write them, frame by frame."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema_of_scores(estimator, rows, keep)
    with replacing(path) as draft, pq.ParquetWriter(draft, schema) as writer:
        for block in range(rows.n_blocks):
            for X, kept in rows.frames(block, features, keep):
                columns = {**kept, **score_columns(estimator, X)}
                writer.write_table(pa.table(columns, schema=schema))


def _schema_of_scores(estimator: Any, rows: RowSource, keep: list[str]) -> Any:
    """Return names and types of what is written, the same for each part."""
    import pyarrow as pa

    table: Any = rows  # where columns are kept: rows of an array have no schema
    fields = [table.schema.field(name) for name in keep]
    fields += [pa.field("score", pa.float64()), pa.field("prediction", pa.int8())]
    if hasattr(estimator, "p_values"):
        fields.append(pa.field("p_value", pa.float64()))
    return pa.schema(fields)
