"""Carries out calls on azure-messaging-webpubsubservice.

A line in is `{hub, name, args}`, where the last of `args` holds the keyword arguments; a line out is
`{value}` or `{error}`. Set from outside: the connection string and the CA.
"""

import base64
import json
import os
import sys

from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged
from azure.core.rest import HttpRequest
from azure.messaging.webpubsubservice import WebPubSubServiceClient

CONNECTION_STRING = os.environ["WEBPUBSUB_CONNECTION_STRING"]


def restore_bytes(value):
    return base64.b64decode(value["$bytes"]) if "$bytes" in value else value


def carry_out(hub, name, args):
    *positional, keywords = args
    # No retries: a suite must see the first answer, not the third.
    with WebPubSubServiceClient.from_connection_string(CONNECTION_STRING, hub, retry_total=0) as service:
        if name == "send_request":
            return service.send_request(HttpRequest(*positional), **keywords).status_code
        value = getattr(service, name)(*positional, **keywords)
        return pages(value) if isinstance(value, ItemPaged) else value


def pages(paged):
    """A paged result as a list of its pages, each of `[connection id, user id]`."""
    return [[[member.connection_id, member.user_id] for member in page] for page in paged.by_page()]


for line in sys.stdin:
    call = json.loads(line, object_hook=restore_bytes)
    try:
        result = {"value": carry_out(call["hub"], call["name"], call["args"])}
    except HttpResponseError as error:
        code = error.error.code if error.error else None
        result = {"error": {"message": error.message, "code": code, "statusCode": error.status_code}}
    print(json.dumps(result), flush=True)
