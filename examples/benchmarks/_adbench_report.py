"""The table and the figure of adbench.py."""

from pathlib import Path

import numpy as np
import pandas as pd

BASELINE = "1-NN"


def read(file, args):
    """Return the results that are asked for, as a frame."""
    results = pd.read_json(file, lines=True)
    is_wanted = results["protocol"].eq(args.protocol)
    is_wanted &= results["max_rows"].eq(args.max_rows) & results["seed"].lt(args.seeds)
    for column, names in (("table", args.tables), ("detector", args.detector)):
        if names:
            is_wanted &= results[column].isin(names)
    return results[is_wanted]


def keep_complete(results):
    """Drop the seeds for which a detector doesn't have all tables yet."""
    n_tables = results["table"].nunique()
    n_done = results.groupby(["detector", "seed"])["table"].transform("nunique")
    complete = results[n_done == n_tables]
    left_out = set(results["detector"]) - set(complete["detector"])
    if left_out:
        print(f"without all {n_tables} tables, left out: {', '.join(sorted(left_out))}")
    return complete


def summarize(results):
    """Return means over the tables, the best detector first, and the AUC by table."""
    results = results.assign(seconds=results["fit_seconds"] + results["score_seconds"])
    columns = ["auc", "ap", "seconds"]
    by_table = results.groupby(["detector", "table"])[columns].mean()
    by_seed = results.groupby(["detector", "seed"])[columns].mean()
    auc = by_table["auc"].unstack()
    summary = by_table.groupby("detector").mean()
    spread = by_seed.groupby("detector").std()
    summary = summary.join(spread[["auc", "ap"]], rsuffix="_std")
    summary["lowest"] = auc.min(axis=1)
    summary["rank"] = auc.rank(ascending=False).mean(axis=1)
    summary["seeds"] = by_seed.groupby("detector").size()
    if BASELINE in auc.index:
        summary["above"] = auc.gt(auc.loc[BASELINE]).sum(axis=1)
    order = summary["auc"].sort_values(ascending=False).index
    return summary.loc[order], auc.loc[order]


def make_rst(summary):
    """Return a table in reStructuredText, which reads as text, too."""
    titles = ["detector", "AUC", "AP", "lowest AUC", "mean rank", "CPU s", "seeds"]
    rows = [
        [
            name,
            with_spread(row["auc"], row["auc_std"]),
            with_spread(row["ap"], row["ap_std"]),
            f"{row['lowest']:.3f}",
            f"{row['rank']:.1f}",
            f"{row['seconds']:.1f}",
            f"{row['seeds']:.0f}",
        ]
        for name, row in summary.iterrows()
    ]
    if "above" in summary:
        titles.append(f"above {BASELINE}")
        for row, n_above in zip(rows, summary["above"], strict=True):
            row.append(f"{n_above}")
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in [titles, *rows]]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def with_spread(mean, std):
    """Format a mean and a standard deviation, if there is one."""
    return f"{mean:.3f}" if np.isnan(std) else f"{mean:.3f} ± {std:.3f}"


def save_figure(summary, auc, file):
    """Draw the AUC of each table, its mean, and the processor time."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    size = (9, 1.2 + 0.26 * len(auc))
    figure, (left, right) = plt.subplots(
        1, 2, figsize=size, sharey=True, width_ratios=(2, 1), layout="constrained"
    )
    y = np.arange(len(auc))
    for values in auc.to_numpy().T:
        left.plot(values, y, "o", color="tab:gray", alpha=0.35, markersize=4)
    left.plot(summary["auc"], y, "D", color="tab:blue", label="mean")
    left.set(xlabel="ROC AUC; a gray dot is a table", yticks=y, yticklabels=auc.index)
    left.invert_yaxis()
    left.legend(loc="lower left")
    right.plot(summary["seconds"], y, "D", color="tab:orange")
    right.set(xlabel="CPU seconds a table, fit and scores", xscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(file, dpi=110)


def report(args):
    """Print the table, and save it and the figure beside the results."""
    results = keep_complete(read(args.results, args))
    if results.empty:
        print(f"no complete results of protocol {args.protocol} in {args.results}")
        return
    summary, auc = summarize(results)
    rst = make_rst(summary)
    print(f"\n{args.protocol}, {auc.shape[1]} tables\n\n{rst}")
    stem = Path(args.results).with_suffix("")
    Path(f"{stem}_{args.protocol}.txt").write_text(rst + "\n")
    save_figure(summary, auc, f"{stem}_{args.protocol}.png")
