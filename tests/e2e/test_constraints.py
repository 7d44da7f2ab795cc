"""Every constraint of every input of the served operations: one input that breaks it, sent by botocore without its own checks, gets AWS's
message to the letter; one that just keeps it is not complained about. S3 words its complaints one by one (test_validation.py): of its
headers and parameters each kind of wrong value is refused as such."""
import re, urllib.parse

import botocore.config
import pytest
from botocore.exceptions import ClientError

import generate
from signing import signed

ROWS = []
for service, facts, model in generate.services():
    if model.metadata["protocol"] != "rest-xml":
        for operation in facts["operations"]:
            for name, value, wanted in generate.cases(model.operation_model(operation)):
                ROWS.append(pytest.param(service, facts["validation"], operation, value, wanted, id="%s-%s-%s" % (service, operation, name)))
OTHER = re.compile("failed to satisfy constraint: (?!Member must not be null)") # operations miss members that the model has as optional
LISTED = re.compile(r"Value '(?:\[.*?\]|\{.*?\}|\w+\(\))' at '", re.S) # lists, maps and structures: how Java writes them is no promise


@pytest.fixture(scope="module")
def clients(ember):
    made = {}
    def client(service):
        if service not in made:
            made[service] = ember.client(service, config=botocore.config.Config(retries={"total_max_attempts": 1}, inject_host_prefix=False, parameter_validation=False))
        return made[service]
    return client


@pytest.mark.parametrize("service, code, operation, value, wanted", ROWS)
def test_constraint(clients, service, code, operation, value, wanted):
    try:
        head, told, message = clients(service)._make_api_call(operation, value)["ResponseMetadata"], None, ""
    except ClientError as e:
        head, told, message = e.response["ResponseMetadata"], e.response["Error"]["Code"], e.response["Error"].get("Message", "")
    assert head["HTTPHeaders"]["date"].endswith(" GMT") and head["RequestId"] == head["HTTPHeaders"]["x-amzn-requestid"]
    if wanted is None:
        assert told not in ("SerializationException", "MalformedInput") and not OTHER.search(message)
    else:
        assert (told, head["HTTPStatusCode"], LISTED.sub("Value '…' at '", message)) == (code, 400, wanted)


WRONG = {"integer": ("x", "1.5", "99999999999", "-99999999999"), "long": ("x", "9" * 20), "boolean": ("yes",), "timestamp": ("yesterday",)}
S3_ROWS = []
for service, facts, model in generate.services():
    for operation in facts["operations"] if service == "s3" else []:
        shape = model.operation_model(operation).input_shape
        for name, member in shape.members.items():
            place, wire = member.serialization.get("location"), member.serialization.get("name", name)
            conditional = "if-" in wire.lower() and member.type_name == "timestamp" # a date that nobody can read is ignored there (RFC 9110 13.1.3)
            if place not in ("header", "querystring") or wire in ("Content-Length", "Expires") or wire.startswith("x-amz-copy-source") or conditional:
                continue
            for value in ("NO_SUCH_VALUE",) if member.metadata.get("enum") else WRONG.get(member.type_name, ()):
                S3_ROWS.append(pytest.param(model.operation_model(operation), place, wire, value, id="%s-%s-%s" % (operation, name, value)))
REQUIRED = {"partNumber": "1", "uploadId": "abc", "x-amz-copy-source": "/constraints/key"}


@pytest.fixture(scope="module")
def bucket(ember):
    ember.client("s3").create_bucket(Bucket="constraints")
    ember.client("s3").put_object(Bucket="constraints", Key="key", Body=b"x")
    return "constraints"


@pytest.mark.parametrize("operation, place, wire, value", S3_ROWS)
def test_wrong_values_at_s3(ember, bucket, operation, place, wire, value):
    path, _, literals = operation.http["requestUri"].partition("?")
    path = path.replace("{Bucket}", "new-bucket" if operation.name == "CreateBucket" else bucket).replace("{Key+}", "key")
    parameters = dict(urllib.parse.parse_qsl(literals, keep_blank_values=True) if literals else [])
    headers = {}
    for name, member in operation.input_shape.members.items():
        name_there, at = member.serialization.get("name", name), member.serialization.get("location")
        if name in operation.input_shape.required_members and name_there in REQUIRED:
            (parameters if at == "querystring" else headers)[name_there] = REQUIRED[name_there]
    (parameters if place == "querystring" else headers)[wire] = value
    query = "&".join("%s=%s" % (k, urllib.parse.quote(v, safe="")) for k, v in sorted(parameters.items()))
    status, head, answer = signed(ember, operation.http["method"], path, "s3", headers=headers, query=query)
    assert status == 400, answer
    if operation.http["method"] != "HEAD":
        code = re.search(rb"<Code>(\w+)</Code>", answer).group(1).decode()
        assert code.startswith("Invalid") and (code != "InvalidArgument" or b"<ArgumentName>" in answer), answer


def test_there_are_hundreds():
    assert len(ROWS) > 600 and len(S3_ROWS) > 100
