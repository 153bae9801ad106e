"""CHANGELOG.md as a page: its headings, lists and names are all the Markdown it has."""

import re
from pathlib import Path

UNDERLINES = {1: "=", 2: "-", 3: "~"}


def write_changelog(source: Path, page: Path) -> None:
    """Translate headings and code to reStructuredText; lists are the same in both."""
    lines = []
    for line in source.read_text().splitlines():
        heading = re.match(r"(#+) (.+)", line)
        if heading is None:
            lines.append(line.replace("`", "``"))
        else:
            level, title = len(heading[1]), heading[2]
            lines += [title, UNDERLINES[level] * len(title)]
    page.write_text("\n".join(lines) + "\n")
