"""Samples larger than memory: memory maps, Arrow tables, Parquet data sets."""

from ._blocks import BlockSource
from ._open import as_source, check_pyarrow, open_source
from ._rows import RowSource

__all__ = ["BlockSource", "RowSource", "as_source", "check_pyarrow", "open_source"]
