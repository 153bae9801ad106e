"""Links into the documentation of other projects, from a list that lies beside it.

Sphinx would fetch an inventory of each project, and a build should need no network.
"""

import tomllib
import zlib
from pathlib import Path

HEADER = "# Sphinx inventory version 2\n# Project: {}\n# Version: \n# zlib\n"


def write_inventories(list_of_links: Path, folder: Path) -> dict:
    """Write an inventory for each project of the list; return `intersphinx_mapping`."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for project, links in tomllib.loads(list_of_links.read_text()).items():
        lines = "".join(
            f"{name} py:{role(name)} 1 {links['page'].format(name=name)} -\n"
            for name in links["names"]
        )
        inventory = folder / f"{project}.inv"
        header = HEADER.format(project).encode()
        inventory.write_bytes(header + zlib.compress(lines.encode()))
        mapping[project] = (links["url"], str(inventory))
    return mapping


def role(name: str) -> str:
    """Tell a class, a method and a function by their capitals."""
    *_, owner, last = name.split(".")
    if last[0].isupper():
        return "class"
    return "method" if owner[0].isupper() else "function"
