"""Asks a practice table that verifies signatures. usage: signatures.py ENDPOINT KEY_ID SECRET_KEY"""
import datetime
import sys

import boto3
import botocore.auth
from botocore.config import Config
from botocore.exceptions import ClientError


def ask(key_id, secret):
    client = boto3.client("dynamodb", endpoint_url=sys.argv[1], region_name="eu-west-1", aws_access_key_id=key_id,
                          aws_secret_access_key=secret, config=Config(retries={"max_attempts": 0}))
    try:
        client.list_tables(Limit=7)
        return ""
    except ClientError as error:
        return error.response["Error"]["Code"] + " " + error.response["Error"]["Message"]


def at(offset):
    """Lets botocore sign for another time."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + offset
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: now


key_id, secret = sys.argv[2:4]
assert ask(key_id, secret) == "", ask(key_id, secret)
assert ask(key_id, "another").startswith("InvalidSignatureException The request signature we calculated")
assert ask("another", secret).startswith("UnrecognizedClientException")
at(datetime.timedelta(minutes=-16))
assert ask(key_id, secret).startswith("InvalidSignatureException Signature expired"), ask(key_id, secret)
at(datetime.timedelta(minutes=16))
assert ask(key_id, secret).startswith("InvalidSignatureException Signature not yet current"), ask(key_id, secret)
at(datetime.timedelta(minutes=14))
assert ask(key_id, secret) == ""
print("all as expected")
