"""Preprocessing of tables: numbers, dates, categories and missing values."""

from ._clip import ClipTransformer
from ._encoder import TableEncoder
from ._pipeline import make_tabular_pipeline

__all__ = ["TRUSTED_TYPES", "ClipTransformer", "TableEncoder", "make_tabular_pipeline"]

# What skops and mlflow have to be told to trust in a pipeline that
# `make_tabular_pipeline` returns, the detector aside.
TRUSTED_TYPES = [
    "numpy.dtype",
    "skanomaly.preprocessing._categories.CategoryEncoder",
    "skanomaly.preprocessing._clip.ClipTransformer",
    "skanomaly.preprocessing._dates.DateEncoder",
    "skanomaly.preprocessing._encoder.TableEncoder",
    "skanomaly.preprocessing._numbers.NumberEncoder",
    "skanomaly.preprocessing._readers.ColumnReader",
    "skanomaly.preprocessing._scaler.TableScaler",
]
