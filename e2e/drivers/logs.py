"""Carries out calls on azure-monitor-query: `{name, args}` a line in, `{value}` or `{error}` a line out.

Arguments are `workspace` or `resource`, `query`, `seconds` of the range, or `batch`, a list of those. Set from
outside: the server's address and the CA. Any token will do in development.
"""

import json
import os
import sys
import time
from datetime import datetime, timedelta

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import LogsBatchQuery, LogsQueryClient, LogsQueryStatus


class Development:
    """A credential whose token is any text, which is all that development asks for."""

    def get_token(self, *_scopes, **_options):
        return AccessToken("development", int(time.time()) + 3600)


# No retries: a suite must see the first answer, not the third.
client = LogsQueryClient(Development(), endpoint=os.environ["TIDINGS_URL"], retry_total=0)


def span(seconds):
    return None if seconds is None else timedelta(seconds=seconds)


def told(result):
    """A result as JSON: its status, its tables, and what went wrong with a part of it."""
    if result.status == LogsQueryStatus.FAILURE:
        return {"status": "failure", "code": result.code, "message": result.message}
    partial = result.status == LogsQueryStatus.PARTIAL
    tables = result.partial_data if partial else result.tables
    return {
        "status": "partial" if partial else "success",
        "tables": [
            {
                "name": table.name,
                "columns": table.columns,
                "types": table.columns_types,
                "rows": [list(row) for row in table.rows],
            }
            for table in tables
        ],
        "statistics": result.statistics,
        "visualization": result.visualization,
    }


def carry_out(name, query=None, seconds=None, workspace=None, resource=None, batch=None, **options):
    if name == "query_batch":
        queries = [
            LogsBatchQuery(workspace_id=one["workspace"], query=one["query"], timespan=span(one.get("seconds")))
            for one in batch
        ]
        return [told(result) for result in client.query_batch(queries)]
    target = workspace if name == "query_workspace" else resource
    return told(getattr(client, name)(target, query, timespan=span(seconds), **options))


def plain(value):
    return value.isoformat() if isinstance(value, datetime) else str(value)


for line in sys.stdin:
    call = json.loads(line)
    try:
        answer = {"value": carry_out(call["name"], **call["args"][0])}
    except HttpResponseError as error:
        code = error.error.code if error.error else None
        answer = {"error": {"message": str(error), "code": code, "statusCode": error.status_code}}
    print(json.dumps(answer, default=plain), flush=True)
