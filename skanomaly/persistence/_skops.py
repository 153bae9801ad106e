"""skops, where it is installed."""

from types import ModuleType


def import_skops() -> ModuleType:
    """Import skops.io, or name the extra that it comes with."""
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            "Saving and loading need skops: pip install 'skanomaly[persistence]'."
        ) from error
    return skops.io
