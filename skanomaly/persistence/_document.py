"""What skops says an estimator consists of, checked before skops makes any of it.

skops' document is a tree of nodes: each has a loader, which makes an object of a class.
skops refuses classes that aren't trusted. Here it is seen to that those which are get
no more than what `skanomaly.save` has written.
"""

import json
from collections.abc import Iterator
from typing import Any

from ._archive import Archive
from ._arrays import check_array, check_sparse
from ._errors import InvalidFileError

MANIFEST, DOCUMENT = "skanomaly.json", "schema.json"
# The first protocol of skops that we wrote; the older ones are read by other code.
_OLDEST_PROTOCOL = 2
_DEEPEST = 200  # of JSON, where one estimator within another takes about nine
# skops makes a kilobyte of an entry that is a tenth of it.
_FREE_SIZE, _LARGEST_FRACTION = 4_000_000, 1 / 8

# Without those that call a method, keep bytes, which may be a pickle, or point to an
# object that was read before, so that a short text stands for a very long one.
_LOADERS = {
    "DTypeNode",
    "DictNode",
    "FunctionNode",
    "JsonNode",
    "ListNode",
    "LossNode",
    "MaskedArrayNode",
    "NdArrayNode",
    "ObjectNode",
    "RandomStateNode",
    "SetNode",
    "SliceNode",
    "SparseMatrixNode",
    "TreeNode",
    "TupleNode",
    "TypeNode",
}


def check_document(archive: Archive, file_size: int) -> None:
    """Refuse a document that skops would take for more than it is."""
    text = archive.read(DOCUMENT)
    if len(text) > _FREE_SIZE + _LARGEST_FRACTION * file_size:
        raise InvalidFileError("it consists of too many parts")
    document = json.loads(str(text, "utf-8"))
    protocol = document["protocol"]
    if not isinstance(protocol, int) or protocol < _OLDEST_PROTOCOL:
        raise InvalidFileError(f"it is of the unknown protocol {protocol!r} of skops")
    used: set[str] = set()
    for place, node in nodes_of(document):
        loader = node["__loader__"]
        if loader not in _LOADERS:
            shown = f"{node['__module__']}.{node['__class__']}"
            raise InvalidFileError(f"{tell(place)} is of the type {shown} ({loader})")
        if "__id__" in node:
            raise InvalidFileError(f"{tell(place)} may stand for another part")
        if "file" in node:
            if node["file"] in used:
                raise InvalidFileError(f"{tell(place)} is stored as another part")
            used.add(node["file"])
        check = _CHECKS.get(loader)
        if check is not None:
            check(node, archive)
    if unknown := set(archive) - used - {MANIFEST, DOCUMENT}:
        raise InvalidFileError(f"it holds parts that nothing needs: {min(unknown)!r}")


def nodes_of(document: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each node with its place: pairs of a place and a key, innermost first."""
    stack: list[tuple[Any, int, Any]] = [((), 0, document)]
    while stack:
        place, depth, value = stack.pop()
        if depth > _DEEPEST:
            raise InvalidFileError("its parts are nested too deeply")
        if isinstance(value, dict):
            if "__loader__" in value:
                yield place, value
            items: Any = value.items()
        elif isinstance(value, list):
            items = enumerate(value)
        else:
            continue
        stack += [((place, key), depth + 1, each) for key, each in items]


def tell(place: Any) -> str:
    """Write a place as a path of attributes and keys."""
    keys: list[str] = []
    while place:
        place, key = place
        if key not in ("content", "key_types", "__reduce__", "args"):
            keys.append(str(key)[:40])
    return ".".join(reversed(keys[:20])) or "its content"


def _check_json(node: dict, archive: Archive) -> None:
    """Allow single values; skops stores lists and dictionaries as nodes."""
    if node["content"].lstrip()[:1] in ("[", "{"):
        raise InvalidFileError("it holds a document within its document")


def _check_ndarray(node: dict, archive: Archive) -> None:
    """Compare an array with its header, and a number with its type, which is called."""
    name = f"{node['__module__']}.{node['__class__']}"
    if node["type"] == "json":
        is_right = name == "numpy.ndarray"
    else:
        dtype, shape = check_array(archive.read(node["file"]))
        scalar = f"numpy.{dtype.type.__name__}"
        is_right = name == "numpy.ndarray" or (shape == () and name == scalar)
    if not is_right:
        raise InvalidFileError(f"it holds an array as a {name[:80]}")


def _check_sparse_matrix(node: dict, archive: Archive) -> None:
    """Look into a sparse matrix."""
    check_sparse(archive.read(node["file"]))


def _check_random_state(node: dict, archive: Archive) -> None:
    """Refuse a position outside of the state, which numpy would read from."""
    state = node["content"]["content"]["state"]["content"]
    if not 0 <= int(state["pos"]["content"]) <= 624:
        raise InvalidFileError("it holds a damaged RandomState")


_CHECKS = {
    "JsonNode": _check_json,
    "NdArrayNode": _check_ndarray,
    "RandomStateNode": _check_random_state,
    "SparseMatrixNode": _check_sparse_matrix,
}
