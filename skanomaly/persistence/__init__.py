"""Files of fitted estimators that run no code when they are loaded."""

from ._errors import InvalidFileError
from ._load import load
from ._save import save

__all__ = ["InvalidFileError", "load", "save"]
