"""From a file of rows to the abnormal ones, on the command line.

Without `--train` and `--model` a detector is fitted on the rows themselves, of which
most are taken to be normal.
"""

import argparse
import sys
import warnings
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import __version__
from ._arguments import make_parser
from ._files import check_path, replacing

_SUFFIXES = (".csv", ".parquet")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit status.

    Parameters
    ----------
    arguments : list of str or None, default=None
        What stands after ``python -m skanomaly``; None takes it from there.

    Returns
    -------
    status : int
        0, or 2 after an error, which is printed.
    """
    args = make_parser(__version__).parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = _print_warning
            _score(args)
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"skanomaly: error: {error}", file=sys.stderr)
        return 2
    return 0


def _score(args):
    """Read, fit or load, score, print and write."""
    from . import save

    _check(args)
    table = _read(args.table)
    estimator = _find_estimator(args, table)
    if args.save is not None:
        save(estimator, args.save)
    scores = np.asarray(estimator.score_samples(table), dtype=float)
    order = np.argsort(scores, kind="stable")
    told = order if args.output is not None else order[: args.top]
    results = table.assign(score=scores, p_value=_p_values(estimator, table, scores))
    results["reasons"] = ""
    reasons = results.columns.get_loc("reasons")
    results.iloc[told, reasons] = _tell_reasons(estimator, table, told, args.reasons)
    _print_table(results.iloc[order[: args.top]])
    if args.output is not None:
        _write(args.output, results)
    if args.report is not None:
        from .inspection import report

        report(estimator, table, path=args.report, top=args.top)


def _check(args):
    """Raise before any work if a result could not be written, or is none."""
    for name in ("top", "reasons"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} must be at least 1, got {getattr(args, name)}.")
    if args.model is not None and args.drop is not None:
        raise ValueError(
            "--drop belongs to a fit: the detector of --model has its columns already."
        )
    for name in ("output", "report", "save"):
        if getattr(args, name) is not None:
            check_path(getattr(args, name), f"--{name}")
    if args.save is not None:
        from .persistence._skops import import_skops

        import_skops()  # rather than after the fit
    if args.output is not None and args.output.suffix not in _SUFFIXES:
        raise ValueError(f"--output must end with .csv or .parquet, got {args.output}.")


def _find_estimator(args: argparse.Namespace, table: Any) -> Any:
    """Load an estimator, or fit one."""
    if args.model is not None:
        return _load(args.model)
    from . import default_ensemble, make_tabular_pipeline
    from .calibration import ConformalDetector

    ensemble = default_ensemble(random_state=args.seed)
    detector = make_tabular_pipeline(ensemble, drop=args.drop)
    if args.train is None:
        return detector.fit(table)
    return ConformalDetector(detector, random_state=args.seed).fit(_read(args.train))


def _print_table(rows):
    """Print scores, p-values and reasons, text to the left."""
    width = rows["reasons"].str.len().max()
    print(
        rows[["score", "p_value", "reasons"]].to_string(
            formatters={
                "score": "{:.4g}".format,
                "p_value": "{:.4g}".format,
                "reasons": f"{{:<{width}}}".format,
            },
            max_colwidth=None,
        )
    )


def _p_values(estimator, table, scores):
    """Return p-values of normal rows, or else how many of the rows are as abnormal."""
    if hasattr(estimator, "p_values"):
        from .out_of_core._score_frame import find_p_values

        return find_p_values(estimator, table, scores)
    return np.searchsorted(np.sort(scores), scores, side="right") / len(scores)


def _tell_reasons(estimator, table, rows, n_reasons):
    """Return the reasons for the scores of rows as text."""
    from .inspection._explain import explain_some
    from .inspection._text import tell

    reasons = explain_some(estimator, table, rows.tolist(), n_reasons)
    texts: list[list[str]] = [[] for _ in rows]
    for each in reasons.itertuples():
        texts[each.sample].append(tell(each.column, each.value, each.expected))
    return ["; ".join(text).replace("\n", " ") for text in texts]


def _read(path):
    """Read a table."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "python -m skanomaly needs pandas: pip install 'skanomaly[frames]'."
        ) from error
    if path.suffix not in _SUFFIXES:
        raise ValueError(
            f"{path} is no table: its name must end with .csv or .parquet."
        )
    try:
        with _parquet_engine(path):
            return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:  # of which few name the file
        raise ValueError(f"{path} can't be read: {error}") from error


def _write(path, table):
    """Write a table whole or not at all."""
    with replacing(path) as draft:
        if path.suffix == ".csv":
            table.to_csv(draft, index=False)
        else:
            with _parquet_engine(path):
                table.to_parquet(draft, index=False)


@contextmanager
def _parquet_engine(path):
    """Name the extra that reads and writes Parquet if it isn't there."""
    try:
        yield
    except ImportError as error:
        needs = f"{path} needs pyarrow: pip install 'skanomaly[arrow]'."
        raise ImportError(needs) from error


def _load(path):
    """Load a fitted estimator, or say that the file holds none."""
    from . import load

    estimator = load(path)
    if not hasattr(estimator, "score_samples"):
        raise TypeError(
            f"{path} must hold a fitted outlier detector with score_samples, got "
            f"{type(estimator).__name__}."
        )
    return estimator


def _print_warning(message, category, filename, lineno, file=None, line=None):
    print(f"skanomaly: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
