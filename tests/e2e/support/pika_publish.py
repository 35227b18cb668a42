"""Publishes with pika what standard input says: a JSON object per line with routing_key, body, and the
properties content_type and message_id. routing_key_hex and body_hex instead give bytes that are no text.
Prints the number of messages that the broker has confirmed and routed."""

import json
import os
import sys

import pika

EXCHANGE = "bloodbank.events.v1"


def main():
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"] + "/%2F"))
    channel = connection.channel()
    channel.confirm_delivery()
    confirmed = 0
    for line in sys.stdin:
        message = json.loads(line)
        body = bytes.fromhex(message["body_hex"]) if "body_hex" in message else message["body"]
        key = message.get("routing_key") or bytes.fromhex(message["routing_key_hex"])
        properties = pika.BasicProperties(
            content_type=message.get("content_type", "application/json"),
            content_encoding="utf-8",
            delivery_mode=2,
            message_id=message.get("message_id"),
        )
        # Raises when the broker returns or refuses it.
        channel.basic_publish(EXCHANGE, key, body, properties, mandatory=True)
        confirmed += 1
    connection.close()
    print(confirmed)


main()
