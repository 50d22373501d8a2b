"""A client of azure-messaging-webpubsubclient, steered over the standard streams.

Arguments: the client URL and the protocol. A line in is `{name, args, keywords}`, a call of one of
its methods; a line out is `{value}` or `{error}`, the outcome of the call, or `{event, args}`.
"""

import base64
import json
import sys
import threading

from azure.messaging.webpubsubclient import WebPubSubClient
from azure.messaging.webpubsubclient.models import SendMessageError

EVENTS = ["connected", "disconnected", "stopped", "group-message", "server-message", "rejoin-group-failed"]

output = threading.Lock()


def restore_bytes(value):
    return memoryview(base64.b64decode(value["$bytes"])) if "$bytes" in value else value


def mark(value):
    """What JSON does not know: bytes as their base64, errors as their text, arguments as objects."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode()}
    return str(value) if isinstance(value, Exception) else vars(value)


def write(line):
    with output:
        print(json.dumps(line, default=mark), flush=True)


def listener(event):
    return lambda *args: write({"event": event, "args": args[0] if args else {}})


url, protocol = sys.argv[1:]
# An ack that comes before the SDK begins to wait for it is only noticed when the wait is over, which
# by default takes 30 seconds. A server on the same machine is that quick.
client = WebPubSubClient(url, protocol_type=protocol, ack_timeout=1, message_retry_total=0, reconnect_retry_total=3)
listeners = {name: listener(name) for name in EVENTS}
for name in EVENTS:
    client.subscribe(name, listeners[name])

for text in sys.stdin:
    call = json.loads(text, object_hook=restore_bytes)
    if call["name"] == "unsubscribe":
        call["args"].append(listeners[call["args"][0]])
    try:
        write({"value": getattr(client, call["name"])(*call["args"], **call["keywords"])})
    except SendMessageError as error:
        detail = error.error_detail
        write({"error": {"message": error.message, "name": detail.name if detail else None}})
