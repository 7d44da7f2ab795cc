"""CloudWatch Logs through the whole endpoint."""
import time

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def logs(ember):
    client = ember.client("logs")
    client.create_log_group(logGroupName="group")
    return client


def test_events_come_back_in_order(logs):
    now = int(time.time() * 1000)
    logs.create_log_stream(logGroupName="group", logStreamName="a/b")
    logs.put_log_events(logGroupName="group", logStreamName="a/b",
                        logEvents=[{"timestamp": now - 10 + i, "message": "line %d ü" % i} for i in range(5)])
    events = logs.get_log_events(logGroupName="group", logStreamName="a/b", startFromHead=True)["events"]
    assert [e["message"] for e in events] == ["line %d ü" % i for i in range(5)]
    found = logs.filter_log_events(logGroupName="group", logStreamNamePrefix="a/", filterPattern='"line 3"')["events"]
    assert [e["message"] for e in found] == ["line 3 ü"]


def test_the_cli_reads_them_too(ember, logs):
    ember.aws("logs", "create-log-stream", "--log-group-name", "group", "--log-stream-name", "cli")
    ember.aws("logs", "put-log-events", "--log-group-name", "group", "--log-stream-name", "cli", "--log-events",
              "timestamp=%d,message=hello" % (time.time() * 1000))
    answer = ember.aws("logs", "get-log-events", "--log-group-name", "group", "--log-stream-name", "cli", "--output", "json")
    assert [e["message"] for e in answer["events"]] == ["hello"]
    groups = ember.aws("logs", "describe-log-groups", "--output", "json")["logGroups"]
    assert groups[0]["arn"] == "arn:aws:logs:us-east-1:111122223333:log-group:group:*"


@pytest.mark.parametrize("operation, arguments, code", [
    ("create_log_group", {"logGroupName": "group"}, "ResourceAlreadyExistsException"),
    ("create_log_stream", {"logGroupName": "nothing", "logStreamName": "s"}, "ResourceNotFoundException"),
    ("get_log_events", {"logGroupName": "group", "logStreamName": "nothing"}, "ResourceNotFoundException"),
    ("create_log_group", {"logGroupName": "a*b"}, "InvalidParameterException"),
    ("describe_destinations", {}, "UnknownOperationException"),
])
def test_refusals(logs, operation, arguments, code):
    with pytest.raises(ClientError) as e:
        getattr(logs, operation)(**arguments)
    assert (e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400)


def test_a_body_past_4_mib_is_refused_before_it_is_read(ember):
    from signing import plain
    head = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1",
            "Content-Length": str((4 << 20) + 1)}
    status, headers, body = plain(ember, "POST", "/", head)
    assert status == 413 and b"RequestEntityTooLargeException" in body
