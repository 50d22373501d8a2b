"""Carries out calls on the management SDKs.

A line in is `{provider, operations, name, args}`, where `{"$model": name, ...}` stands for a model of the SDK
and a last argument `{"$options": {...}}` for options by keyword; a line out is `{value}` or `{error}`. Set from
outside: the server's address and the CA.
"""

import json
import os
import sys
import time

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged
from azure.core.polling import LROPoller
from azure.mgmt import eventgrid, notificationhubs
from azure.mgmt.eventgrid import EventGridManagementClient
from azure.mgmt.notificationhubs import NotificationHubsManagementClient

PROVIDERS = {
    "eventgrid": (EventGridManagementClient, eventgrid.models),
    "notificationhubs": (NotificationHubsManagementClient, notificationhubs.models),
}
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"


class Development:
    """A credential whose token is any text, which is all that development asks for."""

    def get_token(self, *_scopes, **_options):
        return AccessToken("development", int(time.time()) + 3600)


clients = {}


def client_of(provider):
    if provider not in clients:
        clients[provider] = PROVIDERS[provider][0](
            Development(),
            SUBSCRIPTION,
            base_url=os.environ["TIDINGS_URL"],
            retry_total=0,  # a suite must see the first answer, not the third
            polling_interval=0,
        )
    return clients[provider]


def restored(value, models):
    """The models of the SDK in what a line says."""
    if isinstance(value, list):
        return [restored(item, models) for item in value]
    if not isinstance(value, dict):
        return value
    members = {name: restored(item, models) for name, item in value.items() if name != "$model"}
    return getattr(models, value["$model"])(**members) if "$model" in value else members


def carry_out(operations, name, args, provider="eventgrid"):
    args = restored(args, PROVIDERS[provider][1])
    has_options = args and isinstance(args[-1], dict) and "$options" in args[-1]
    options = args.pop()["$options"] if has_options else {}
    value = getattr(getattr(client_of(provider), operations), name)(*args, **options)
    if isinstance(value, LROPoller):
        value = value.result()
    if isinstance(value, ItemPaged):
        return [[item.as_dict() for item in page] for page in value.by_page()]
    return value.as_dict() if value is not None else None


for line in sys.stdin:
    try:
        result = {"value": carry_out(**json.loads(line))}
    except HttpResponseError as error:
        code = error.error.code if error.error else None
        result = {"error": {"message": error.message, "code": code, "statusCode": error.status_code}}
    print(json.dumps(result), flush=True)
for client in clients.values():
    client.close()
