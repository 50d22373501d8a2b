"""Sends one message to everyone who is connected to the hub `chat`.

    WEBPUBSUB_CONNECTION_STRING='Endpoint=…' REQUESTS_CA_BUNDLE='<the CA file>' \
        python broadcast.py "hello from Python"
"""

import os
import sys

from azure.messaging.webpubsubservice import WebPubSubServiceClient

connection_string = os.environ.get("WEBPUBSUB_CONNECTION_STRING")
if not connection_string:
    sys.exit("WEBPUBSUB_CONNECTION_STRING is not set. Paste the one that `tidings dev` prints.")

text = " ".join(sys.argv[1:]) or "hello"
with WebPubSubServiceClient.from_connection_string(connection_string, hub="chat") as service:
    service.send_to_all({"text": text, "from": "Python"}, content_type="application/json")
print(f"sent: {text}")
