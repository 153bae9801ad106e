"""Score and explain the rows of a table over HTTP.

    pip install 'skanomaly[serve]'
    python examples/serve/train.py orders.skops
    python examples/serve/app.py orders.skops

serves any file of `skanomaly.save` that holds a detector of tables, such as those of
`make_tabular_pipeline`. What clients send is JSON that is checked, never a pickle.
"""

import argparse
from collections import Counter
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import uvicorn
from annotated_types import Len
from fastapi import FastAPI, HTTPException, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from metrics import CountRequests, Metrics
from pydantic import BaseModel, BeforeValidator
from rows import make_row_type

import skanomaly
from skanomaly.inspection import explain

MAX_ROWS = 1000
MAX_BYTES = 1_000_000  # of a body
MAX_ERRORS = 20  # told of one request


class Score(BaseModel):
    """What is said of a row: the lower the score, the more abnormal."""

    score: float
    decision: float  # negative for outliers
    label: int  # -1 for outliers, 1 for inliers
    p_value: float | None  # if the detector is conformal


class Reason(BaseModel):
    """Why a row is abnormal; `sample` is its position in the request."""

    sample: int
    column: str
    value: Any
    expected: Any
    share: float


def make_app(detector, reference=None):
    """Return the service of a fitted detector.

    `reference` are normal rows, as a list of dicts. They are needed for reasons of a
    detector that doesn't reconstruct its input.
    """
    Row = make_row_type(detector)
    Rows = Annotated[
        list[Row],
        Len(1, MAX_ROWS),
        BeforeValidator(
            lambda body: body if isinstance(body, list) else [body],
            json_schema_input_type=Row | list[Row],
        ),
    ]
    metrics = Metrics()
    # The pages of FastAPI load scripts from a CDN; /openapi.json needs none.
    app = FastAPI(
        title="skanomaly", docs_url=None, redoc_url=None, max_body_size=MAX_BYTES
    )
    app.add_middleware(CountRequests, metrics=metrics)

    @app.post("/score")
    def score(rows: Rows) -> list[Score]:
        """Score one row, or several."""
        X = as_dicts(rows)
        scores = detector.score_samples(X)
        # Each method scores anew, and a Pipeline hides the threshold of its last step.
        has_offset = hasattr(detector, "offset_")
        decisions = (
            scores - detector.offset_ if has_offset else detector.decision_function(X)
        )
        labels = np.where(decisions < 0, -1, 1)
        is_conformal = hasattr(detector, "p_values")
        p_values = detector.p_values(X) if is_conformal else [None] * len(X)
        for label, n_rows in Counter(labels.tolist()).items():
            metrics.add("scored_rows_total", n_rows, label=label)
        return [
            Score(score=score, decision=decision, label=label, p_value=p_value)
            for score, decision, label, p_value in zip(
                scores, decisions, labels, p_values, strict=True
            )
        ]

    @app.post("/explain", response_model=list[Reason])
    def reasons(rows: Rows):
        """Tell which columns make rows abnormal, and what was expected there."""
        try:
            found = explain(detector, as_dicts(rows), reference=reference)
        except ValueError as error:  # too few normal rows to compare with
            raise HTTPException(422, str(error)) from error
        text = found.to_json(orient="records", date_format="iso", double_precision=15)
        return Response(text, media_type="application/json")

    @app.get("/health")
    def health() -> dict:
        """Tell that the service is there, and its version."""
        return {"status": "ok", "skanomaly": skanomaly.__version__}

    @app.get("/metrics", response_class=PlainTextResponse)
    def show_metrics():
        """Return the counts of this process for Prometheus."""
        return metrics.text()

    @app.exception_handler(RequestValidationError)
    def refuse(request, error):
        """Name the row and the column, and don't repeat what was sent, as FastAPI does.

        It may be large, or NaN, which no response can hold.
        """
        found = [
            {key: each[key] for key in ("loc", "msg", "type")}
            for each in error.errors()[:MAX_ERRORS]
        ]
        return JSONResponse({"detail": found}, status_code=422)

    return app


def as_dicts(rows):
    """Return checked rows as the detector takes them."""
    return [row.model_dump(by_alias=True) for row in rows]


def main():
    """Load a detector and serve it until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="file of skanomaly.save")
    parser.add_argument("--reference", help="CSV file of normal rows, for reasons")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    torch.set_num_threads(1)  # requests are answered side by side
    reference = None
    if args.reference:
        reference = pd.read_csv(args.reference).to_dict("records")
    app = make_app(skanomaly.load(args.model), reference)
    # /metrics counts requests; a line for each takes longer than a score.
    uvicorn.run(app, host=args.host, port=args.port, access_log=False)


if __name__ == "__main__":
    main()
