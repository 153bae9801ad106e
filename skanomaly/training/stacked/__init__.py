"""Several modules of one architecture, trained in one pass as if each were alone."""

from .data import StackedData
from .draws import NotStackableError
from .net import stack_nets

__all__ = ["NotStackableError", "StackedData", "stack_nets"]
