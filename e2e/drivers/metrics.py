"""Carries out calls on azure-monitor-querymetrics: `{name, args}` a line in, `{value}` or `{error}` a line out.

Arguments are the SDK's own, with `seconds` and `granularity_seconds` for its spans of time. Set from outside: the
server's address and the CA. Any token will do in development.
"""

import json
import os
import sys
import time
from datetime import timedelta

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.querymetrics import MetricsClient


class Development:
    """A credential whose token is any text, which is all that development asks for."""

    def get_token(self, *_scopes, **_options):
        return AccessToken("development", int(time.time()) + 3600)


# No retries: a suite must see the first answer, not the third.
client = MetricsClient(os.environ["TIDINGS_URL"], Development(), retry_total=0)


def told(result):
    """The metrics of a resource as JSON."""
    return {
        "timespan": result.timespan,
        "granularity": result.granularity.total_seconds(),
        "namespace": result.namespace,
        "metrics": [
            {
                "name": metric.name,
                "unit": metric.unit,
                "timeseries": [
                    {"metadata": one.metadata_values, "data": [vars(point) for point in one.data]}
                    for one in metric.timeseries
                ],
            }
            for metric in result.metrics
        ],
    }


def carry_out(name, seconds, granularity_seconds, **options):
    spans = {"timespan": timedelta(seconds=seconds), "granularity": timedelta(seconds=granularity_seconds)}
    return [told(result) for result in getattr(client, name)(**spans, **options)]


for line in sys.stdin:
    call = json.loads(line)
    try:
        answer = {"value": carry_out(call["name"], **call["args"][0])}
    except HttpResponseError as error:
        code = error.error.code if error.error else None
        answer = {"error": {"message": str(error), "code": code, "statusCode": error.status_code}}
    print(json.dumps(answer, default=str), flush=True)
