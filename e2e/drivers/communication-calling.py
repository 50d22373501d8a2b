"""Carries out calls on azure-communication-callautomation.

A line in is `{client, connection?, name, args}`, where `client` is automation, call or identity and the
last of `args` holds the keyword arguments; a line out is `{value}` or `{error}`. Set from outside: the
connection string and the CA.
"""

import datetime
import json
import os
import sys

from azure.communication.callautomation import CallAutomationClient
from azure.communication.identity import CommunicationIdentityClient, CommunicationUserIdentifier
from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged

CONNECTION_STRING = os.environ["COMMUNICATION_CONNECTION_STRING"]
# A suite must see the first answer, not the third.
OPTIONS = {"retry_total": 0}


def restore(value):
    """JSON has no users."""
    return CommunicationUserIdentifier(value["$user"]) if "$user" in value else value


def client(kind, connection):
    if kind == "identity":
        return CommunicationIdentityClient.from_connection_string(CONNECTION_STRING, **OPTIONS)
    automation = CallAutomationClient.from_connection_string(CONNECTION_STRING, **OPTIONS)
    return automation if kind == "automation" else automation.get_call_connection(connection, **OPTIONS)


def carry_out(call):
    *positional, keywords = call["args"]
    service = client(call["client"], call.get("connection"))
    value = getattr(service, call["name"])(*positional, **keywords)
    return list(value) if isinstance(value, ItemPaged) else value


def plain(value):
    """An object of the SDK as JSON."""
    if isinstance(value, (datetime.datetime, datetime.timedelta)):
        return str(value)
    if hasattr(value, "raw_id"):
        return value.raw_id
    return {name: field for name, field in vars(value).items() if not name.startswith("_")}


for line in sys.stdin:
    try:
        result = {"value": carry_out(json.loads(line, object_hook=restore))}
    except HttpResponseError as error:
        message = error.message or str(error)
        result = {"error": {"name": type(error).__name__, "message": message, "statusCode": error.status_code}}
    print(json.dumps(result, default=plain), flush=True)
