"""What the command line takes, and its help."""

import argparse
from pathlib import Path
from typing import Any

_EXAMPLE = """\
example:
  python -m skanomaly score orders.csv --top 10

`python -m skanomaly score --help` has all options, and more examples.
"""

_DESCRIPTION = """\
Print the most abnormal rows of a table, the worst first. Each line has

  the number of the row, counted from 0
  score     the lower, the more abnormal
  p_value   the fraction of normal rows that are at least as abnormal
  reasons   columns with what they hold and, in brackets, what was expected

By default a detector is fitted on TABLE itself, most of whose rows are taken
to be normal, and p-values count its rows. With --train it is fitted on rows
that are known to be normal, and p-values come from those held out of training.
Numbers, categories, dates and missing values are read as they are; ids and
free text are left out, with a warning.
"""

_EXAMPLES = """\
examples:
  the twenty most abnormal orders
    python -m skanomaly score orders.csv
  fit on normal orders, keep the detector, and score those of today
    python -m skanomaly score today.csv --train normal.csv --save orders.skops
  score further orders by it, all of them, to a file
    python -m skanomaly score next.csv --model orders.skops --output scored.csv
"""


def make_parser(version: str) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m skanomaly",
        description="Find the abnormal rows of a table, and the reasons for them.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skanomaly {version}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    score = commands.add_parser(
        "score",
        help="print the most abnormal rows of a CSV or Parquet file, each with its "
        "score, its p-value and the columns that make it abnormal",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    score.add_argument(
        "table", type=Path, metavar="TABLE", help="CSV or Parquet file to score"
    )
    _add_printed(score.add_argument_group("what is printed"))
    _add_detector(score.add_argument_group("the detector"))
    _add_files(score.add_argument_group("files to write"))
    return parser


def _add_printed(group: Any) -> None:
    """Add how many rows and reasons are printed."""
    number: dict[str, Any] = {"type": int, "metavar": "N"}
    group.add_argument(
        "--top", default=20, help="number of rows (default: %(default)s)", **number
    )
    group.add_argument(
        "--reasons",
        default=3,
        help="largest number of reasons of a row (default: %(default)s)",
        **number,
    )


def _add_detector(group: Any) -> None:
    """Add what the detector is fitted on, or where it comes from."""
    fitted = group.add_mutually_exclusive_group()
    fitted.add_argument(
        "--train",
        type=Path,
        metavar="FILE",
        help="CSV or Parquet file of normal rows to fit on (default: TABLE)",
    )
    fitted.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="fitted detector to use, written by --save or skanomaly.save; no code in "
        "the file is run",
    )
    group.add_argument(
        "--drop", nargs="+", metavar="COLUMN", help="columns to leave out; after TABLE"
    )
    group.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="random state of the fit: the same seed, the same scores (default: "
        "%(default)s)",
    )


def _add_files(group: Any) -> None:
    """Add the files that are written."""
    file: dict[str, Any] = {"type": Path, "metavar": "FILE"}
    group.add_argument(
        "--output",
        help="all rows with scores, p-values and reasons, as .csv or .parquet",
        **file,
    )
    group.add_argument(
        "--report",
        help="page of HTML with scores, reasons, data and training",
        **file,
    )
    group.add_argument(
        "--save", help="the fitted detector, for --model or skanomaly.load", **file
    )
