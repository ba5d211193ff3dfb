"""Holds reports against a JSON schema (draft 2020-12) with a validator that is not ours.

usage: check_schema.py SCHEMA REPORT…

A report is a file with one JSON value. Prints for each report a line `PATH: valid`, or `PATH: ` and the first fault, and
at the end `members:` with every member of the schema that some report has with a value.
"""
import json
import sys

from jsonschema import Draft202012Validator


def resolved(schema):
    """The members of an object, or of the objects in a list."""
    return schema.get("items", schema)


def seen(schema, value, path, found):
    schema = resolved(schema)
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        for name, part in schema.get("properties", {}).items():
            if one.get(name) is not None:
                found.add(f"{path}{name}")
                seen(part, one[name], f"{path}{name}.", found)


def main():
    with open(sys.argv[1]) as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    found = set()
    for path in sys.argv[2:]:
        with open(path) as file:
            report = json.load(file)
        errors = sorted(validator.iter_errors(report), key=lambda error: str(list(error.absolute_path)))
        if errors:
            place = "/".join(map(str, errors[0].absolute_path))
            print(f"{path}: at /{place}: {errors[0].message[:200]}")
        else:
            print(f"{path}: valid")
        seen(schema, report, "", found)
    print("members: " + " ".join(sorted(found)))


main()
