"""Which methods a page of the API lists: those that the package itself documents."""

from importlib import import_module
from inspect import isroutine

EXCLUDED = {
    "module_class",
    "get_metadata_routing",
    "set_fit_request",
    "set_partial_fit_request",
}


def methods_of(module: str, name: str) -> list[str]:
    """Return the public methods of a class that are written in skanomaly."""
    kind = getattr(import_module(module), name)
    found = {
        method
        for base in kind.__mro__
        if base.__module__.startswith("skanomaly")
        for method, value in vars(base).items()
        if not method.startswith("_")
        and method not in EXCLUDED
        and (
            isroutine(value) or hasattr(value, "fn")
        )  # fn: scikit-learn's available_if
        and getattr(kind, method, None) is not None
    }
    return sorted(found)
