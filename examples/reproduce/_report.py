"""How the scripts of this folder print."""

import numpy as np


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
