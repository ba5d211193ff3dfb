#!/usr/bin/env python3
"""Makes backups, restores and exports of a practice table with boto3 and checks each against what the table held.

usage: backups.py ENDPOINT BUCKETS     BUCKETS is the folder that stands for S3
"""
import base64
import datetime
import gzip
import hashlib
import json
import pathlib
import random
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, buckets = sys.argv[1], pathlib.Path(sys.argv[2])
client = boto3.client(
    "dynamodb", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="practice",
    aws_secret_access_key="practice", config=Config(retries={"max_attempts": 1}))
chance = random.Random(4)


def check(what, isTrue):
    if not isTrue:
        sys.exit(f"not as expected: {what}")


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        check(f"{code} instead of {found}: {error}", found == code)
        return error.response["Error"]["Message"]
    sys.exit(f"not refused: {code}")


def make(name, **more):
    client.create_table(
        TableName=name, AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("Path", "Key")],
        KeySchema=[{"AttributeName": "Path", "KeyType": "HASH"}, {"AttributeName": "Key", "KeyType": "RANGE"}],
        **(more or {"BillingMode": "PAY_PER_REQUEST"}))


def put(name, number, text):
    client.put_item(TableName=name, Item={
        "Path": {"S": f"logical/{number % 7}"}, "Key": {"S": str(number)}, "Value": {"B": text.encode()},
        "Number": {"N": "1.50"}})


def remove(name, number):
    client.delete_item(TableName=name, Key={"Path": {"S": f"logical/{number % 7}"}, "Key": {"S": str(number)}})


def held(name):
    items = []
    for page in client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
        items += page["Items"]
    return sorted((item["Path"]["S"], item["Key"]["S"], item["Value"]["B"], item["Number"]["N"]) for item in items)


def unpacked(folder):
    """The items of an export, after its manifests are checked."""
    for name in ("manifest-summary", "manifest-files"):
        said = (folder / f"{name}.md5").read_text()
        found = base64.b64encode(hashlib.md5((folder / f"{name}.json").read_bytes()).digest()).decode()
        check(f"{name}.md5", said == found)
    summary = json.loads((folder / "manifest-summary.json").read_text())
    items = []
    for line in (folder / "manifest-files.json").read_text().splitlines():
        file = json.loads(line)
        packed = (buckets / summary["s3Bucket"] / file["dataFileS3Key"]).read_bytes()
        check("md5Checksum", file["md5Checksum"] == base64.b64encode(hashlib.md5(packed).digest()).decode())
        lines = gzip.decompress(packed).decode().splitlines()
        check("itemCount", file["itemCount"] == len(lines))
        items += [json.loads(line)["Item"] for line in lines]
    check("itemCount of all", summary["itemCount"] == len(items))
    return sorted(
        (item["Path"]["S"], item["Key"]["S"], base64.b64decode(item["Value"]["B"]), item["Number"]["N"]) for item in items)


# On-demand backups.
make("first", BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 900, "WriteCapacityUnits": 800})
for number in range(300):
    put("first", number, f"value {number}")
before = held("first")
refused("TableNotFoundException", client.create_backup, TableName="nothing", BackupName="backup")
refused("ValidationException", client.create_backup, TableName="first", BackupName="with space")
made = client.create_backup(TableName="first", BackupName="before-the-move")["BackupDetails"]
check("CREATING", made["BackupStatus"] == "CREATING" and made["BackupType"] == "USER")
arn = made["BackupArn"]
check(arn, arn.startswith("arn:aws:dynamodb:us-east-1:000000000000:table/first/backup/0"))
described = client.describe_backup(BackupArn=arn)["BackupDescription"]
check("AVAILABLE", described["BackupDetails"]["BackupStatus"] == "AVAILABLE")
source = described["SourceTableDetails"]
check("source", source["ItemCount"] == 300 and source["TableName"] == "first" and source["BillingMode"] == "PROVISIONED"
      and source["ProvisionedThroughput"]["ReadCapacityUnits"] == 900
      and source["TableId"] == client.describe_table(TableName="first")["Table"]["TableId"])
for number in range(100):
    put("first", number * 3, "changed")
for number in range(50):
    remove("first", number * 5 + 1)
refused("TableAlreadyExistsException", client.restore_table_from_backup, TargetTableName="first", BackupArn=arn)
refused("BackupNotFoundException", client.restore_table_from_backup, TargetTableName="other", BackupArn=arn[:-1] + "x")
restored = client.restore_table_from_backup(TargetTableName="restored", BackupArn=arn)["TableDescription"]
check("RestoreSummary", restored["TableStatus"] == "CREATING" and restored["RestoreSummary"]["SourceBackupArn"] == arn)
check("restored", held("restored") == before)
table = client.describe_table(TableName="restored")["Table"]
summary = table["RestoreSummary"]
check(f"RestoreSummary {summary}", summary["SourceBackupArn"] == arn and not summary["RestoreInProgress"]
      and summary["SourceTableArn"] == client.describe_table(TableName="first")["Table"]["TableArn"])
check("none of its own", "RestoreSummary" not in client.describe_table(TableName="first")["Table"])
check("counts", table["ItemCount"] == 300 and table["TableSizeBytes"] == described["BackupDetails"]["BackupSizeBytes"]
      and table["ProvisionedThroughput"]["WriteCapacityUnits"] == 800)
client.restore_table_from_backup(TargetTableName="cheap", BackupArn=arn, BillingModeOverride="PAY_PER_REQUEST")
check("override", client.describe_table(TableName="cheap")["Table"]["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST")
for number in range(5):
    client.create_backup(TableName="restored", BackupName=f"more-{number}")
names, start = [], {}
while True:
    page = client.list_backups(Limit=2, **start)
    names += [summary["BackupName"] for summary in page["BackupSummaries"]]
    if "LastEvaluatedBackupArn" not in page:
        break
    start = {"ExclusiveStartBackupArn": page["LastEvaluatedBackupArn"]}
check(f"pages {names}", names == ["before-the-move"] + [f"more-{number}" for number in range(5)])
check("of one table", len(client.list_backups(TableName="first")["BackupSummaries"]) == 1)
check("none earlier", client.list_backups(TimeRangeUpperBound=datetime.datetime(2020, 1, 1))["BackupSummaries"] == [])

# Point-in-time recovery.
state = client.describe_continuous_backups(TableName="first")["ContinuousBackupsDescription"]
check("off", state["ContinuousBackupsStatus"] == "ENABLED"
      and state["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED")
refused("PointInTimeRecoveryUnavailableException", client.restore_table_to_point_in_time,
        SourceTableName="first", TargetTableName="past", UseLatestRestorableTime=True)
identity = client.describe_table(TableName="first")["Table"]["TableArn"]
refused("PointInTimeRecoveryUnavailableException", client.export_table_to_point_in_time,
        TableArn=identity, S3Bucket="backups")
client.update_continuous_backups(
    TableName="first", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
check("35 days", client.describe_continuous_backups(TableName="first")["ContinuousBackupsDescription"][
    "PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"] == 35)
refused("ValidationException", client.update_continuous_backups, TableName="first", PointInTimeRecoverySpecification={
    "PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 36})
shorter = client.update_continuous_backups(TableName="first", PointInTimeRecoverySpecification={
    "PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7})["ContinuousBackupsDescription"]
check("7 days", shorter["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"] == 7)
states = []
for round in range(4):
    items = held("first")
    # The protocol has whole seconds.
    moment = int(time.time()) + 1
    time.sleep(moment + 0.1 - time.time())
    description = client.describe_continuous_backups(TableName="first")["ContinuousBackupsDescription"]
    period = description["PointInTimeRecoveryDescription"]
    check("period", period["EarliestRestorableDateTime"].timestamp() <= moment <= period["LatestRestorableDateTime"].timestamp())
    states.append((moment, items))
    for _ in range(120):
        number = chance.randrange(350)
        remove("first", number) if chance.random() < 0.3 else put("first", number, f"round {round} {chance.random()}")
for place, (moment, items) in enumerate(states):
    client.restore_table_to_point_in_time(
        SourceTableName="first", TargetTableName=f"past-{place}", RestoreDateTime=moment)
    check(f"state {place}", held(f"past-{place}") == items)
client.restore_table_to_point_in_time(SourceTableArn=identity, TargetTableName="now", UseLatestRestorableTime=True)
check("latest", held("now") == held("first"))
summary = client.describe_table(TableName="now")["Table"]["RestoreSummary"]
check(f"RestoreSummary {summary}", "SourceBackupArn" not in summary and summary["SourceTableArn"] == identity)
refused("InvalidRestoreTimeException", client.restore_table_to_point_in_time, SourceTableName="first",
        TargetTableName="never", RestoreDateTime=datetime.datetime(2020, 1, 1))
refused("TableAlreadyExistsException", client.restore_table_to_point_in_time, SourceTableName="first",
        TargetTableName="now", UseLatestRestorableTime=True)

# Exports.
moment, items = states[2]
done = client.export_table_to_point_in_time(
    TableArn=identity, S3Bucket="backups", S3Prefix="vault/daily", ExportTime=moment, ClientToken="one")["ExportDescription"]
check("IN_PROGRESS", done["ExportStatus"] == "IN_PROGRESS")
done = client.describe_export(ExportArn=done["ExportArn"])["ExportDescription"]
check("COMPLETED", done["ExportStatus"] == "COMPLETED" and done["ItemCount"] == len(items))
folder = (buckets / "backups" / done["ExportManifest"]).parent
check("place", folder.parent == buckets / "backups/vault/daily/AWSDynamoDB")
check("exported", unpacked(folder) == items)
again = client.export_table_to_point_in_time(
    TableArn=identity, S3Bucket="backups", S3Prefix="vault/daily", ExportTime=moment, ClientToken="one")["ExportDescription"]
check("the same", again["ExportArn"] == done["ExportArn"])
check("listed", [one["ExportArn"] for one in client.list_exports()["ExportSummaries"]] == [done["ExportArn"]])
for prefix in ("../out", "a/../../out", "a//b"):
    refused("ValidationException", client.export_table_to_point_in_time, TableArn=identity, S3Bucket="backups", S3Prefix=prefix)
refused("ValidationException", client.export_table_to_point_in_time, TableArn=identity, S3Bucket="..")
refused("ValidationException", client.export_table_to_point_in_time, TableArn=identity, S3Bucket="backups", ExportFormat="ION")
refused("ExportNotFoundException", client.describe_export, ExportArn=done["ExportArn"] + "x")
client.export_table_to_point_in_time(TableArn=identity, S3Bucket="latest")

# What is left of a table that is deleted.
last = held("first")
client.delete_table(TableName="first")
kept = client.list_backups(BackupType="SYSTEM")["BackupSummaries"]
check("system backup", [one["BackupName"] for one in kept] == ["first$DeletedTableBackup"])
client.restore_table_from_backup(TargetTableName="first", BackupArn=kept[0]["BackupArn"])
check("restored after all", held("first") == last)
deleted = client.delete_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]
check("DELETED", deleted["BackupStatus"] == "DELETED")
refused("BackupNotFoundException", client.describe_backup, BackupArn=arn)
check("still there", held("restored") == before)
client.update_continuous_backups(TableName="now", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
client.update_continuous_backups(TableName="now", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False})
put("now", 1, "after")
client.delete_table(TableName="now")

said = refused("UnknownOperationException", client.describe_endpoints)
check(said, "does not serve DescribeEndpoints" in said and "RestoreTableFromBackup" in said)
print("all as expected")
