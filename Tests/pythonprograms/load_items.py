"""Fills a new table with the items of a file of DynamoDB JSON lines. usage: load_items.py ENDPOINT TABLE FILE.gz"""
import base64
import gzip
import json
import sys

import boto3

endpoint, table, path = sys.argv[1:]
client = boto3.client(
    "dynamodb", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
client.create_table(
    TableName=table, BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "Path", "KeyType": "HASH"}, {"AttributeName": "Key", "KeyType": "RANGE"}],
    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Path", "Key")])
items = [json.loads(line)["Item"] for line in gzip.open(path)]
for item in items:
    for value in item.values():
        if "B" in value:
            value["B"] = base64.b64decode(value["B"])
for start in range(0, len(items), 25):
    requests = [{"PutRequest": {"Item": item}} for item in items[start:start + 25]]
    client.batch_write_item(RequestItems={table: requests})
