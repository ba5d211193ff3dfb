"""Signs the requests on standard input, one JSON object a line, with botocore; prints one Authorization header each."""
import datetime
import json
import sys
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

for line in sys.stdin:
    job = json.loads(line)
    now = datetime.datetime.fromtimestamp(job["time"], datetime.timezone.utc)
    credentials = Credentials(job["key"], job["secret"], job["token"] or None)
    query = "?" + job["query"] if job["query"] else ""
    request = AWSRequest(
        method=job["method"], url="https://" + job["host"] + job["path"] + query, data=bytes.fromhex(job["body"]))
    for name, value in job["headers"]:
        request.headers[name] = value
    with mock.patch("botocore.auth.get_current_datetime", lambda: now):
        SigV4Auth(credentials, job["service"], job["region"]).add_auth(request)
    print(request.headers["Authorization"])
