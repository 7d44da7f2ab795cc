"""Every constraint of every input of the served operations (S3 words its complaints one by one: test_validation.py): one input that breaks
it, sent by botocore without its own checks, gets AWS's message to the letter; one that just keeps it is not complained about."""
import re

import botocore.config
import pytest
from botocore.exceptions import ClientError

import generate

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


def test_there_are_hundreds():
    assert len(ROWS) > 600
