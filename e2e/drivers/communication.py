"""Carries out calls on azure-communication-identity and azure-communication-chat.

A line in is `{client, token?, thread?, name, args}`, where `client` is identity, chat or thread and the
last of `args` holds the keyword arguments; a line out is `{value}` or `{error}`. Set from outside: the
connection string and the CA.
"""

import datetime
import json
import os
import sys

from azure.communication.chat import ChatClient, ChatParticipant, CommunicationTokenCredential
from azure.communication.identity import CommunicationIdentityClient, CommunicationUserIdentifier
from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged

CONNECTION_STRING = os.environ["COMMUNICATION_CONNECTION_STRING"]
ENDPOINT = CONNECTION_STRING.split(";")[0].split("=", 1)[1]
# A suite must see the first answer, not the third.
OPTIONS = {"retry_total": 0}


def restore(value):
    """JSON has none of these: a user, a participant, a moment, a lifetime."""
    if "$user" in value:
        return CommunicationUserIdentifier(value["$user"])
    if "$participant" in value:
        return ChatParticipant(identifier=value["$participant"], **value["with"])
    if "$date" in value:
        return datetime.datetime.fromisoformat(value["$date"])
    if "$minutes" in value:
        return datetime.timedelta(minutes=value["$minutes"])
    return value


def client(kind, token, thread):
    if kind == "identity":
        return CommunicationIdentityClient.from_connection_string(CONNECTION_STRING, **OPTIONS)
    chat = ChatClient(ENDPOINT, CommunicationTokenCredential(token), **OPTIONS)
    return chat if kind == "chat" else chat.get_chat_thread_client(thread, **OPTIONS)


def carry_out(call):
    *positional, keywords = call["args"]
    service = client(call["client"], call.get("token"), call.get("thread"))
    value = getattr(service, call["name"])(*positional, **keywords)
    if isinstance(value, ItemPaged):
        return [list(page) for page in value.by_page()]
    return value


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
