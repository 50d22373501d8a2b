"""Carries out calls on azure-mgmt-eventgrid.

A line in is `{operations, name, args}`, where `{"$model": name, ...}` stands for a model of the SDK; a
line out is `{value}` or `{error}`. Set from outside: the server's address and the CA.
"""

import json
import os
import sys
import time

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged
from azure.core.polling import LROPoller
from azure.mgmt.eventgrid import EventGridManagementClient, models

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"


class Development:
    """A credential whose token is any text, which is all that development asks for."""

    def get_token(self, *_scopes, **_options):
        return AccessToken("development", int(time.time()) + 3600)


def restore_models(value):
    if "$model" not in value:
        return value
    return getattr(models, value.pop("$model"))(**value)


def carry_out(client, operations, name, args):
    value = getattr(getattr(client, operations), name)(*args)
    if isinstance(value, LROPoller):
        value = value.result()
    if isinstance(value, ItemPaged):
        return [[item.as_dict() for item in page] for page in value.by_page()]
    return value.as_dict() if value is not None else None


with EventGridManagementClient(
    Development(),
    SUBSCRIPTION,
    base_url=os.environ["TIDINGS_URL"],
    retry_total=0,  # a suite must see the first answer, not the third
    polling_interval=0,
) as client:
    for line in sys.stdin:
        call = json.loads(line, object_hook=restore_models)
        try:
            result = {"value": carry_out(client, **call)}
        except HttpResponseError as error:
            code = error.error.code if error.error else None
            result = {"error": {"message": error.message, "code": code, "statusCode": error.status_code}}
        print(json.dumps(result), flush=True)
