"""Counts of requests and of scored rows, as Prometheus reads them."""

import threading
import time
from collections import Counter

BOUNDS = ("0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.5", "+Inf")
TYPES = {
    "http_requests_total": "counter",
    "http_request_duration_seconds": "histogram",
    "scored_rows_total": "counter",
}


class Metrics:
    """What is counted in this process; the routes count in several threads."""

    def __init__(self):
        self._values = Counter()
        self._lock = threading.Lock()

    def add(self, name, amount=1, **labels):
        """Add to the value of a name and labels."""
        shown = ",".join(f'{label}="{value}"' for label, value in labels.items())
        with self._lock:
            self._values[f"{name}{{{shown}}}"] += amount

    def add_request(self, path, status, seconds):
        """Count a request, and how long it took."""
        self.add("http_requests_total", path=path, status=status)
        name = "http_request_duration_seconds"
        for bound in BOUNDS:
            self.add(f"{name}_bucket", seconds <= float(bound), path=path, le=bound)
        self.add(f"{name}_sum", seconds, path=path)
        self.add(f"{name}_count", path=path)

    def text(self):
        """Return all values in Prometheus' text format."""
        with self._lock:
            values = list(self._values.items())
        lines = []
        for name, kind in TYPES.items():
            lines.append(f"# TYPE {name} {kind}")
            lines += [f"{key} {value}" for key, value in values if key.startswith(name)]
        return "\n".join([*lines, ""])


class CountRequests:
    """The ASGI middleware that counts."""

    def __init__(self, app, metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope, receive, send):
        """Answer a request, and count it by its route: any text may be a path."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def watch(message):
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self.metrics.add_request(path, status, time.perf_counter() - start)
