"""Milliseconds from a row to its score over HTTP, and seconds to start.

    python examples/serve/train.py orders.skops
    python examples/serve/latency.py orders.skops orders.csv

The service runs on one core, where the system can bind a process to one, and the
clients, each with a connection that stays open, on the others.
"""

import argparse
import http.client
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

APP = Path(__file__).with_name("app.py")


def start(model, port):
    """Start the service; return it, and how long until it answers."""
    begin = time.perf_counter()
    command = [sys.executable, APP, model, "--port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    service = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    while service.poll() is None:
        try:
            ask(http.client.HTTPConnection("127.0.0.1", port), "GET", "/health")
        except ConnectionError:
            time.sleep(0.01)
        else:
            return service, time.perf_counter() - begin
    raise RuntimeError(f"The service ended:\n{service.stderr.read().decode()}")


def bind_to_cores(service):
    """Leave one core to the service and the others to this process."""
    if hasattr(os, "sched_setaffinity"):
        first, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(service.pid, {first})
        os.sched_setaffinity(0, others or {first})


def ask(connection, method, path, row=None):
    """Send a request, and read the answer."""
    connection.request(method, path, row, {"content-type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path} was answered {response.status}: {text.decode()}")


def time_requests(port, path, rows):
    """Return the seconds of each request of one client."""
    connection, seconds = http.client.HTTPConnection("127.0.0.1", port), []
    for row in rows:
        begin = time.perf_counter()
        ask(connection, "POST", path, row)
        seconds.append(time.perf_counter() - begin)
    return seconds


def main():
    """Print a line for the start, and one for each route and number of clients."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="file of skanomaly.save")
    parser.add_argument("rows", help="CSV file of rows, each sent as one request")
    parser.add_argument("--requests", type=int, default=1000, help="of a client")
    args = parser.parse_args()
    table = pd.read_csv(args.rows, nrows=args.requests)
    rows = table.to_json(orient="records", lines=True).splitlines()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service, seconds = start(args.model, port)
    try:
        print(f"ready after {seconds:.1f} s")
        bind_to_cores(service)
        time_requests(port, "/score", rows[:50])
        for path in ("/score", "/explain"):
            for n_clients in (1, 8):
                with ThreadPoolExecutor(n_clients) as clients:
                    each = [(port, path, rows)] * n_clients
                    found = clients.map(lambda asked: time_requests(*asked), each)
                    p50, p99 = 1000 * np.quantile(np.concatenate([*found]), [0.5, 0.99])
                print(
                    f"{path:<9} {n_clients} client{'s'[: n_clients > 1]:<1}  "
                    f"p50 {p50:6.2f} ms  p99 {p99:6.2f} ms"
                )
    finally:
        service.terminate()
        service.wait()


if __name__ == "__main__":
    main()
