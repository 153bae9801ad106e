"""How the scripts of this folder print."""

import numpy as np

# A browser must not break a line within a figure.
_PLUS_MINUS = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"


def note(*columns):
    """Print progress at once."""
    print(*columns, flush=True)


def print_means(title, figures):
    """Print mean and standard deviation of each column over the rows."""
    n_values = len(next(iter(figures.values())))
    print(f"\n{title}: mean ± standard deviation over {n_values}")
    for name, values in figures.items():
        values = np.asarray(values, dtype=float)
        std = values.std(ddof=1) if len(values) > 1 else np.nan
        print(f"  {name:<34} {values.mean():.4f} ± {std:.4f}  min {values.min():.4f}")


def print_table(title, header, rows):
    """Print a simple table of reStructuredText.

    Parameters
    ----------
    title : str
        Printed above.
    header : sequence of str
        Names of the columns.
    rows : sequence of sequences of str
        The cells.
    """
    rows = [[cell.replace(" ± ", _PLUS_MINUS) for cell in row] for row in rows]
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    rule = "  ".join("=" * width for width in widths)
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (header, *rows)
    ]
    print(f"\n{title}\n")
    print(
        *(line.rstrip() for line in (rule, lines[0], rule, *lines[1:], rule)), sep="\n"
    )
