"""The order of the pages in a section of the gallery."""

# What a newcomer should see first; the others follow by name.
FIRST = [
    "plot_quickstart.py",
    "plot_real_table.py",
    "plot_network_connections.py",
    "plot_compare_detectors.py",
    "plot_false_alarms.py",
    "plot_score_display.py",
    "plot_grid_search.py",
    "plot_reasons.py",
    "plot_anomaly_maps.py",
    "plot_video.py",
    "plot_shipping.py",
]


class PageOrder:
    """Sort key of sphinx-gallery, made anew for each folder."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, filename):
        """Return what pages are sorted by."""
        rank = FIRST.index(filename) if filename in FIRST else len(FIRST)
        return rank, filename
