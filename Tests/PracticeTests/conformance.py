#!/usr/bin/env python3
"""Runs one list of operations against moto's server and against the practice table and compares the answers.

usage: conformance.py MOTO_ENDPOINT PRACTICE_ENDPOINT

What moto is known to do differently from DynamoDB itself is in MOTO_DIFFERS, each with its reason; there only the
practice table's answer is checked, against what is written beside it. Prints the differences and exits 1 if there are any.
"""
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

STOCK = "vault-dynamodb-backend"
NUMBERS = "numbers"
SINGLE = "single"

S = lambda text: {"S": text}
N = lambda number: {"N": str(number)}
B = lambda data: {"B": data}
NAMES = {"#p": "Path", "#k": "Key", "#v": "Value"}


def key(path, name):
    return {"Path": S(path), "Key": S(name)}


def item(path, name, **more):
    return {**key(path, name), **more}


def table(name, attributes, **billing):
    return dict(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in attributes],
        KeySchema=[{"AttributeName": n, "KeyType": k} for (n, _), k in zip(attributes, ["HASH", "RANGE"])],
        **(billing or {"BillingMode": "PAY_PER_REQUEST"}))


LOCK = dict(
    TableName=STOCK, Key=key("core", "_lock"),
    UpdateExpression="SET #value = :value, #identity = :identity, #expires = :expires",
    ConditionExpression="attribute_not_exists(#path) or attribute_not_exists(#key) or #identity = :identity "
                        "or #expires <= :now",
    ExpressionAttributeNames={"#path": "Path", "#key": "Key", "#identity": "Identity", "#expires": "Expires",
                              "#value": "Value"})


def lock(identity, now):
    return dict(LOCK, ExpressionAttributeValues={
        ":value": B(b"leader"), ":identity": B(identity), ":expires": N(now + 15_000_000_000), ":now": N(now)})


def operations():
    """Pairs of a name and (operation, parameters)."""
    yield "create", ("create_table", table(STOCK, [("Path", "S"), ("Key", "S")]))
    yield "create provisioned", ("create_table", table(
        NUMBERS, [("Part", "N"), ("Sort", "N")], BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 40_000, "WriteCapacityUnits": 40_000}))
    yield "create single", ("create_table", table(SINGLE, [("Id", "B")]))
    yield "create twice", ("create_table", table(STOCK, [("Path", "S"), ("Key", "S")]))
    yield "create without definitions", ("create_table", dict(table("other", [("a", "S")]), AttributeDefinitions=[
        {"AttributeName": "b", "AttributeType": "S"}]))
    yield "create with too many definitions", ("create_table", dict(table("other", [("a", "S")]), AttributeDefinitions=[
        {"AttributeName": "a", "AttributeType": "S"}, {"AttributeName": "b", "AttributeType": "S"}]))
    yield "describe", ("describe_table", {"TableName": STOCK})
    yield "describe missing", ("describe_table", {"TableName": "missing"})
    yield "list", ("list_tables", {})
    yield "list some", ("list_tables", {"Limit": 2})
    yield "list rest", ("list_tables", {"Limit": 2, "ExclusiveStartTableName": "single"})

    yield "put", ("put_item", dict(TableName=STOCK, Item=item("core", "keyring", Value=B(b"\x00\xff"))))
    yield "put old", ("put_item", dict(
        TableName=STOCK, Item=item("core", "keyring", Value=B(b"two")), ReturnValues="ALL_OLD"))
    yield "put counted", ("put_item", dict(
        TableName=STOCK, Item=item(" ", "core/", Value={"NULL": True}), ReturnConsumedCapacity="TOTAL"))
    every = {"S": S("text \" \\ \u00e9 \u4e2d"), "N": N("1.5"), "B": B(bytes(range(256))), "BOOL": {"BOOL": False},
             "NULL": {"NULL": True}, "SS": {"SS": ["a", "b"]}, "NS": {"NS": ["1", "2.5"]}, "BS": {"BS": [b"x", b"y"]},
             "L": {"L": [S("a"), {"L": []}, {"M": {}}]}, "M": {"M": {"in": {"M": {"deep": N(7)}}, "list": {"L": [N(1), N(2)]}}}}
    yield "put every type", ("put_item", dict(TableName=STOCK, Item=item("types", "all", **every)))
    yield "get every type", ("get_item", dict(TableName=STOCK, Key=key("types", "all"), ConsistentRead=True))
    yield "get nested", ("get_item", dict(
        TableName=STOCK, Key=key("types", "all"), ProjectionExpression="M.#i.deep, L[0], #s",
        ExpressionAttributeNames={"#i": "in", "#s": "S"}))
    yield "get missing", ("get_item", dict(TableName=STOCK, Key=key("core", "missing"), ReturnConsumedCapacity="TOTAL"))
    yield "get projected", ("get_item", dict(
        TableName=STOCK, Key=key("core", "keyring"), ProjectionExpression="#v", ExpressionAttributeNames={"#v": "Value"}))
    yield "get reserved", ("get_item", dict(
        TableName=STOCK, Key=key("core", "keyring"), ProjectionExpression="Value"))
    yield "get undefined name", ("get_item", dict(
        TableName=STOCK, Key=key("core", "keyring"), ProjectionExpression="#x", ExpressionAttributeNames={"#v": "Value"}))
    yield "get unused name", ("get_item", dict(
        TableName=STOCK, Key=key("core", "keyring"), ProjectionExpression="#v",
        ExpressionAttributeNames={"#v": "Value", "#p": "Path"}))
    yield "get wrong key", ("get_item", dict(TableName=STOCK, Key={"Path": S("core")}))
    yield "get wrong type", ("get_item", dict(TableName=STOCK, Key={"Path": S("core"), "Key": N(1)}))
    yield "get no table", ("get_item", dict(TableName="missing", Key=key("a", "b")))
    yield "put without key", ("put_item", dict(TableName=STOCK, Item={"Path": S("core")}))
    yield "put wrong type", ("put_item", dict(TableName=STOCK, Item={"Path": S("core"), "Key": N(1)}))
    yield "put empty key", ("put_item", dict(TableName=STOCK, Item=item("", "x")))
    yield "put long path", ("put_item", dict(TableName=STOCK, Item=item("p" * 2049, "x")))
    yield "put long key", ("put_item", dict(TableName=STOCK, Item=item("p", "k" * 1025)))
    yield "put longest", ("put_item", dict(TableName=STOCK, Item=item("p" * 2048, "k" * 1024)))
    yield "put empty set", ("put_item", dict(TableName=STOCK, Item=item("a", "b", X={"SS": []})))
    yield "put bad number", ("put_item", dict(TableName=STOCK, Item=item("a", "b", X=N("1x"))))
    yield "put long number", ("put_item", dict(TableName=STOCK, Item=item("a", "b", X=N("1" * 39))))
    yield "put large", ("put_item", dict(TableName=STOCK, Item=item("a", "b", X=B(b"x" * 409_600))))

    yield "lock", ("update_item", lock(b"one", 1000))
    yield "lock taken", ("update_item", lock(b"two", 2000))
    yield "lock renewed", ("update_item", dict(lock(b"one", 5_000_000_000), ReturnValues="ALL_NEW"))
    yield "lock expired", ("update_item", lock(b"two", 30_000_000_000))
    yield "unlock of another", ("delete_item", dict(
        TableName=STOCK, Key=key("core", "_lock"), ConditionExpression="#i = :i",
        ExpressionAttributeNames={"#i": "Identity"}, ExpressionAttributeValues={":i": B(b"one")}))
    yield "unlock", ("delete_item", dict(
        TableName=STOCK, Key=key("core", "_lock"), ConditionExpression="#i = :i", ReturnValues="ALL_OLD",
        ExpressionAttributeNames={"#i": "Identity"}, ExpressionAttributeValues={":i": B(b"two")}))
    yield "delete missing", ("delete_item", dict(TableName=STOCK, Key=key("core", "_lock"), ReturnValues="ALL_OLD"))

    yield "put if absent", ("put_item", dict(
        TableName=STOCK, Item=item("core", "keyring"), ConditionExpression="attribute_not_exists(#k)",
        ExpressionAttributeNames={"#k": "Key"}))
    for name, expression, values in conditions():
        yield f"condition {name}", ("put_item", dict(
            TableName=STOCK, Item=item("types", "all", **every), ConditionExpression=expression,
            **({"ExpressionAttributeValues": values} if values else {})))
    for name, parameters in updates():
        yield f"update {name}", ("update_item", dict(
            TableName=STOCK, Key=key("update", "one"), ReturnValues="ALL_NEW", **parameters))

    yield "update unchanged", ("update_item", dict(
        TableName=STOCK, Key=key("update", "one"), UpdateExpression="SET a = :a", ReturnValues="UPDATED_OLD",
        ExpressionAttributeValues={":a": N("-1.5")}))

    for number in range(12):
        yield f"batch {number}", ("batch_write_item", {"RequestItems": {STOCK: [
            {"PutRequest": {"Item": item(f"p{(number * 25 + i) % 7}", f"k{number * 25 + i:03}",
                                         Value=B(bytes([i]) * (600 + i)))}} for i in range(25)]}})
    yield "batch deletes", ("batch_write_item", {"RequestItems": {STOCK: [
        {"DeleteRequest": {"Key": key("p1", "k001")}}, {"PutRequest": {"Item": item("p1", "new")}}]}})
    yield "batch twice", ("batch_write_item", {"RequestItems": {STOCK: [
        {"PutRequest": {"Item": item("a", "b")}}, {"DeleteRequest": {"Key": key("a", "b")}}]}})
    yield "batch empty", ("batch_write_item", {"RequestItems": {}})
    yield "batch no table", ("batch_write_item", {"RequestItems": {"missing": [{"PutRequest": {"Item": item("a", "b")}}]}})
    yield "batch 26", ("batch_write_item", {"RequestItems": {STOCK: [
        {"PutRequest": {"Item": item("a", str(i))}} for i in range(26)]}})
    yield "batch get", ("batch_get_item", {"RequestItems": {STOCK: {"Keys": [
        key("p1", "k008"), key("p2", "k002"), key("p0", "missing")], "ConsistentRead": True}}})
    yield "batch get projected", ("batch_get_item", {"RequestItems": {STOCK: {
        "Keys": [key("p1", "k008")], "ProjectionExpression": "#k", "ExpressionAttributeNames": {"#k": "Key"}}}})
    yield "batch get twice", ("batch_get_item", {"RequestItems": {STOCK: {"Keys": [key("a", "b"), key("a", "b")]}}})
    yield "batch get 101", ("batch_get_item", {"RequestItems": {STOCK: {"Keys": [key("a", str(i)) for i in range(101)]}}})

    for name, parameters in queries():
        yield f"query {name}", ("query", dict({"TableName": STOCK}, **parameters))
    for part in (1, -2.5, 10):
        for sort in (3, -1, 20, 0.5, 100, -30):
            yield f"numbers {part} {sort}", ("put_item", dict(TableName=NUMBERS, Item={"Part": N(part), "Sort": N(sort)}))
    yield "numbers ascend", ("query", dict(
        TableName=NUMBERS, KeyConditionExpression="Part = :p", ExpressionAttributeValues={":p": N("-2.50")}))
    yield "numbers between", ("query", dict(
        TableName=NUMBERS, KeyConditionExpression="Part = :p AND Sort BETWEEN :a AND :b", ScanIndexForward=False,
        ExpressionAttributeValues={":p": N(10), ":a": N(-1), ":b": N(20)}))
    yield "single", ("put_item", dict(TableName=SINGLE, Item={"Id": B(b"\x00\x01"), "x": N("1")}))
    yield "single get", ("get_item", dict(TableName=SINGLE, Key={"Id": B(b"\x00\x01")}))

    for name, parameters in scans():
        yield f"scan {name}", ("scan", dict({"TableName": STOCK}, **parameters))
    yield "delete", ("delete_table", {"TableName": SINGLE})
    yield "delete missing table", ("delete_table", {"TableName": "missing"})
    yield "scan deleted", ("scan", {"TableName": SINGLE})


def conditions():
    yield "compare", "M.list[1] = :two", {":two": N(2)}
    yield "not equal", "N <> :n", {":n": N("1.5")}
    yield "between", "N BETWEEN :a AND :b", {":a": N(1), ":b": N(2)}
    yield "in", "S IN (:a, :b)", {":a": S("x"), ":b": S("y")}
    yield "not", "NOT attribute_exists(nothing) AND (BOOL = :f OR N = :n)", {":f": {"BOOL": False}, ":n": N(9)}
    yield "type", "attribute_type(L, :t)", {":t": S("L")}
    yield "wrong type", "attribute_type(L, :t)", {":t": S("M")}
    yield "begins", "begins_with(S, :t)", {":t": S("text")}
    yield "contains text", "contains(S, :t)", {":t": S("xt")}
    yield "contains element", "contains(SS, :t)", {":t": S("b")}
    yield "contains no element", "contains(NS, :t)", {":t": N(3)}
    yield "size", "size(B) = :n AND size(L) > :z", {":n": N(256), ":z": N(2)}
    yield "precedence", "attribute_exists(S) OR attribute_exists(x) AND attribute_exists(y)", None
    yield "sets in any order", "SS = :s", {":s": {"SS": ["b", "a"]}}
    yield "syntax", "S = = :s", {":s": S("a")}
    yield "end", "S =", None
    yield "unknown function", "exists(S)", None
    yield "undefined value", "S = :s", {":t": S("a")}
    yield "unused value", "attribute_exists(S)", {":t": S("a")}
    yield "reserved", "Value = :s", {":s": S("a")}
    yield "empty", "", None
    yield "operands", "begins_with(S)", None


def updates():
    yield "new", dict(UpdateExpression="SET a = :a, b = :b", ExpressionAttributeValues={":a": N(1), ":b": {"L": [N(1)]}})
    yield "sum", dict(UpdateExpression="SET a = a + :d, c = if_not_exists(c, :z) - :d",
                      ExpressionAttributeValues={":d": N("0.5"), ":z": N(10)})
    yield "append", dict(UpdateExpression="SET b = list_append(b, :l)", ExpressionAttributeValues={":l": {"L": [N(2), N(3)]}})
    yield "element", dict(UpdateExpression="SET b[1] = :x", ExpressionAttributeValues={":x": S("x")})
    yield "remove elements", dict(UpdateExpression="REMOVE b[0], c")
    yield "map", dict(UpdateExpression="SET m = :m", ExpressionAttributeValues={":m": {"M": {"x": N(1)}}})
    yield "member", dict(UpdateExpression="SET m.y = :y REMOVE m.x", ExpressionAttributeValues={":y": N(2)})
    yield "add", dict(UpdateExpression="ADD a :n, s :s", ExpressionAttributeValues={":n": N(-3), ":s": {"SS": ["p", "q"]}})
    yield "delete", dict(UpdateExpression="DELETE s :s", ExpressionAttributeValues={":s": {"SS": ["p"]}})
    yield "delete last", dict(UpdateExpression="DELETE s :s", ExpressionAttributeValues={":s": {"SS": ["q"]}})
    yield "missing operand", dict(UpdateExpression="SET z = nothing + :n", ExpressionAttributeValues={":n": N(1)})
    yield "bad path", dict(UpdateExpression="SET nothing.y = :n", ExpressionAttributeValues={":n": N(1)})
    yield "key", dict(UpdateExpression="SET #k = :n", ExpressionAttributeNames={"#k": "Key"},
                      ExpressionAttributeValues={":n": S("x")})
    yield "section twice", dict(UpdateExpression="SET x = :n SET y = :n", ExpressionAttributeValues={":n": N(1)})
    yield "overlap", dict(UpdateExpression="SET x = :n, x.y = :n", ExpressionAttributeValues={":n": N(1)})
    yield "nothing", dict()


def queries():
    by = lambda expression, **values: dict(
        KeyConditionExpression=expression, ExpressionAttributeNames={"#p": "Path", "#k": "Key"},
        ExpressionAttributeValues={f":{n}": S(v) for n, v in values.items()})
    whole = dict(KeyConditionExpression="#p = :p", ExpressionAttributeNames={"#p": "Path"},
                 ExpressionAttributeValues={":p": S("p3")})
    yield "all", whole
    yield "backwards", dict(whole, ScanIndexForward=False, Limit=5)
    yield "from", dict(whole, ExclusiveStartKey=key("p3", "k100"), Limit=3)
    yield "count", dict(whole, Select="COUNT")
    yield "missing", dict(whole, ExpressionAttributeValues={":p": S("nothing")})
    yield "equal", by("#p = :p AND #k = :k", p="p3", k="k003")
    yield "begins", by("#p = :p and begins_with(#k, :k)", p="p3", k="k1")
    yield "between", by("#p = :p AND #k BETWEEN :a AND :b", p="p3", a="k050", b="k101")
    for sign in ("<", "<=", ">", ">="):
        yield sign, by(f"#k {sign} :k AND #p = :p", p="p3", k="k101")
    yield "in parentheses", by("(#p = :p) AND (#k > :k)", p="p3", k="k101")
    yield "filter", dict(whole, FilterExpression="size(#v) > :n",
                         ExpressionAttributeNames={"#p": "Path", "#v": "Value"},
                         ExpressionAttributeValues={":p": S("p3"), ":n": N(615)})
    yield "projected", dict(whole, ProjectionExpression="#k", ExpressionAttributeNames={"#p": "Path", "#k": "Key"}, Limit=2)
    yield "legacy", dict(KeyConditions={"Path": {"ComparisonOperator": "EQ", "AttributeValueList": [S("p3")]}},
                         ConsistentRead=True, Limit=2)
    yield "without partition key", by("#k = :k", k="x") | {"ExpressionAttributeNames": {"#k": "Key"}}
    yield "or", by("#p = :p OR #k = :k", p="p3", k="k")
    yield "filter on key", dict(by("#p = :p", p="p3"), FilterExpression="#k = :p")
    yield "nothing", {}
    yield "wrong type", dict(whole, ExpressionAttributeValues={":p": N(1)})


def scans():
    project = dict(ProjectionExpression="#p, #k", ExpressionAttributeNames={"#p": "Path", "#k": "Key"})
    yield "all", {}
    yield "projected", project
    yield "count", dict(Select="COUNT")
    yield "filter", dict(FilterExpression="#p = :p", ExpressionAttributeNames={"#p": "Path"},
                         ExpressionAttributeValues={":p": S("p3")})
    yield "limit 0", dict(Limit=0)
    yield "segment without total", dict(Segment=0)
    yield "total without segment", dict(TotalSegments=4)
    yield "segment too large", dict(Segment=4, TotalSegments=4)
    yield "total too large", dict(Segment=0, TotalSegments=1_000_001)
    yield "reserved", dict(ProjectionExpression="Path")
    yield "wrong start", dict(ExclusiveStartKey={"Path": S("a")})


def refused(message, code="ValidationException"):
    return lambda answer: answer.get("error") == code and message in answer["message"]


def answered(**members):
    return lambda answer: all(answer.get(name) == value for name, value in members.items())


UNCHECKED = "moto takes it; DynamoDB refuses it"
CRASHES = "moto answers with status 500"
WORDS = "moto words it differently"

# What moto is known to do differently from DynamoDB: the reason, and what the practice table must answer. Moto is not
# asked, so that both tables hold the same afterwards.
MOTO_DIFFERS = {
    "list": ("moto lists tables as they were made, DynamoDB by name", answered(TableNames=[NUMBERS, SINGLE, STOCK])),
    "list some": ("as above", answered(TableNames=[NUMBERS, SINGLE], LastEvaluatedTableName=SINGLE)),
    "list rest": ("as above", answered(TableNames=[STOCK])),
    "get reserved": (WORDS, refused("Invalid ProjectionExpression: Attribute name is a reserved keyword; "
                                    "reserved keyword: Value")),
    "scan reserved": (WORDS, refused("reserved keyword: Path")),
    "get undefined name": (WORDS, refused("An expression attribute name used in the document path is not defined; "
                                          "attribute name: #x")),
    "get wrong key": (WORDS, refused("The provided key element does not match the schema")),
    "get wrong type": (UNCHECKED, refused("The provided key element does not match the schema")),
    "put empty key": (WORDS, refused("cannot contain an empty string value. Key: Path")),
    "put long number": (UNCHECKED, refused("Attempting to store more than 38 significant digits in a Number")),
    "update unchanged": ("moto leaves out what was set to the value it had", answered(Attributes={"a": {"N": "-1.5"}})),
    "condition syntax": (CRASHES, refused('Syntax error; token: "=", near: "= = :s"')),
    "condition end": (CRASHES, refused('Syntax error; token: "<EOF>"')),
    "condition unknown function": (WORDS, refused("Invalid function name; function: exists")),
    "condition undefined value": (CRASHES, refused("attribute value: :s")),
    "condition unused value": (UNCHECKED, refused("unused in expressions: keys: {:t}")),
    "condition empty": (UNCHECKED, refused("The expression can not be empty;")),
    "condition operands": (CRASHES, refused("number of operands: 1")),
    "update nothing": (CRASHES, lambda answer: answer["Attributes"]["a"] == {"N": "-1.5"}),
    "batch twice": (UNCHECKED, refused("Provided list of item keys contains duplicates")),
    "batch empty": (UNCHECKED, refused("at 'requestItems' failed to satisfy constraint")),
    "batch 26": (UNCHECKED, refused("Member must have length less than or equal to 25")),
    "batch get 101": (WORDS, refused("Member must have length less than or equal to 100")),
    "query or": (CRASHES, refused("Invalid operator used in KeyConditionExpression: OR")),
    "query filter on key": (UNCHECKED, refused("can only contain non-primary key attributes")),
    "query nothing": (WORDS, refused("Either the KeyConditions or KeyConditionExpression parameter must be specified")),
    "query wrong type": (UNCHECKED, refused("Condition parameter type does not match schema type")),
    "scan count": ("moto sends the items as well", answered(Count=305, ScannedCount=305)),
    "scan limit 0": (CRASHES, refused("Member must have value greater than or equal to 1")),
    "scan total too large": (UNCHECKED, refused("Member must have value less than or equal to 1000000")),
    "scan wrong start": (CRASHES, refused("The provided starting key is invalid")),
    "delete missing table": (WORDS, refused("Table: missing not found", "ResourceNotFoundException")),
}


def normalised(answer, parameters):
    """Without what differs from run to run, and with collections without order in one."""
    answer.pop("ResponseMetadata", None)
    # Moto sends both unasked.
    answer.pop("ItemCollectionMetrics", None)
    if "ReturnConsumedCapacity" not in parameters:
        answer.pop("ConsumedCapacity", None)
    for name in ("Table", "TableDescription"):
        if name in answer:
            kept = ("AttributeDefinitions", "TableName", "KeySchema", "ItemCount", "BillingModeSummary")
            answer[name] = {k: v for k, v in answer[name].items() if k in kept}
            answer[name].get("BillingModeSummary", {}).pop("LastUpdateToPayPerRequestDateTime", None)
            if answer[name].get("BillingModeSummary", {}).get("BillingMode") == "PROVISIONED":
                del answer[name]["BillingModeSummary"]
    return ordered(answer)


def ordered(value):
    if isinstance(value, dict):
        return {k: sorted(map(ordered, v), key=repr) if k in ("SS", "NS", "BS") else ordered(v)
                for k, v in sorted(value.items())}
    if isinstance(value, list):
        return [ordered(v) for v in value]
    return repr(value) if isinstance(value, bytes) else value


def ask(client, operation, parameters):
    try:
        return normalised(getattr(client, operation)(**parameters), parameters)
    except ClientError as error:
        found = error.response["Error"]
        return {"error": found["Code"], "message": found.get("Message", "")}


def scanned(answer, operation=None):
    """The items of a Scan or a batch in one order: the service's own is none that a client may know."""
    if operation == "scan" and "Items" in answer:
        answer["Items"].sort(key=repr)
    for items in answer.get("Responses", {}).values():
        items.sort(key=repr)
    return answer


def main():
    config = Config(retries={"max_attempts": 0}, parameter_validation=False)
    moto, practice = (boto3.client(
        "dynamodb", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="practice",
        aws_secret_access_key="practice", config=config) for endpoint in sys.argv[1:3])
    count, differences = 0, 0
    unused = set(MOTO_DIFFERS)
    for name, (operation, parameters) in operations():
        count += 1
        ours = scanned(ask(practice, operation, parameters), operation)
        if name in MOTO_DIFFERS:
            unused.discard(name)
            reason, expected = MOTO_DIFFERS[name]
            if not expected(ours):
                differences += 1
                print(f"{name} ({reason}): the practice table answers {json.dumps(ours)[:600]}")
            continue
        theirs = scanned(ask(moto, operation, parameters), operation)
        if theirs != ours:
            differences += 1
            print(f"{name}\n  moto      {json.dumps(theirs)[:600]}\n  practice  {json.dumps(ours)[:600]}")
    assert not unused, f"no operation is called {unused}"
    print(f"{count} operations compared, {differences} differ")
    sys.exit(1 if differences else 0)


main()
