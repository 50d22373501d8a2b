"""Carries out calls on azure-eventgrid.

A line in is `{topic, credential, name, args}`, where `{"$model": name, ...}` stands for an event of the
SDK and `{"$bytes": base64}` for bytes; a line out is `{value}` or `{error}`. Set from outside: the CA, and
`{endpoint, key}` of the topic with each call.
"""

import base64
import datetime
import json
import sys
import time

from azure.core.credentials import AccessToken, AzureKeyCredential, AzureSasCredential
from azure.core.exceptions import HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient, generate_sas

MODELS = {"EventGridEvent": EventGridEvent, "CloudEvent": CloudEvent}


class Development:
    """A credential whose token is any text, which is all that development asks for."""

    def get_token(self, *_scopes, **_options):
        return AccessToken("development", int(time.time()) + 3600)


def sas(endpoint, key, hours=1, **_other):
    now = datetime.datetime.now(datetime.timezone.utc)
    return AzureSasCredential(generate_sas(endpoint, key, now + datetime.timedelta(hours=hours)))


CREDENTIALS = {
    "key": lambda key, **_other: AzureKeyCredential(key),
    "sas": sas,
    "bearer": lambda **_other: Development(),
}


def restore(value):
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    if "$model" not in value:
        return value
    return MODELS[value.pop("$model")](**value)


def carry_out(topic, credential, name, args, **_other):
    endpoint = topic.get("sentTo", topic["endpoint"])
    with EventGridPublisherClient(endpoint, CREDENTIALS[credential](**topic)) as client:
        return getattr(client, name)(*args)


for line in sys.stdin:
    try:
        result = {"value": carry_out(**json.loads(line, object_hook=restore))}
    except HttpResponseError as error:
        code = error.error.code if error.error else None
        told = {"name": type(error).__name__, "message": error.message, "code": code}
        result = {"error": {**told, "statusCode": error.status_code}}
    print(json.dumps(result), flush=True)
