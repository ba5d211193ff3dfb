"""Calls DynamoDB's ListTables with boto3 at the endpoint named first; what it answers does not matter."""
import sys

import boto3

boto3.client(
    "dynamodb", endpoint_url=sys.argv[1], region_name="eu-west-3", aws_access_key_id="AKIDBOTO",
    aws_secret_access_key="secret/boto", aws_session_token="token/boto").list_tables(Limit=7)
