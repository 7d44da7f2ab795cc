"""Wrong input, sent as it is (an SDK would stop some of it), and AWS's words for it: status, code, message."""
import base64, hashlib, json, re

import pytest

from signing import signed

ROLE, DRIVER = "arn:aws:iam::111122223333:role/job", {"sparkSubmitJobDriver": {"entryPoint": "local:///pi.py"}}
ARN = "arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/abc"
PROVIDER = {"type": "EKS", "id": "local", "info": {"eksInfo": {"namespace": "default"}}}
RUNS = "/virtualclusters/abc/jobruns"
NULL = "Value null at '%s' failed to satisfy constraint: Member must not be null"
LONG = "Value '%s' at '%s' failed to satisfy constraint: Member must have length less than or equal to %d"
SHORT = "Value '%s' at '%s' failed to satisfy constraint: Member must have length greater than or equal to %d"
ENUM = "Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]"
STATES = "PENDING, SUBMITTED, RUNNING, FAILED, CANCELLED, CANCEL_PENDING, COMPLETED"


def ask(ember, service, method, path, body=None, headers=None, query=""):
    if service == "logs":
        headers = {"X-Amz-Target": "Logs_20140328." + path, "Content-Type": "application/x-amz-json-1.1", **(headers or {})}
        method, path = "POST", "/"
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return signed(ember, method, path, service, body=data, headers=headers or {}, query=query)


def read(service, head, body):
    """(code, message) out of an answer of the service's protocol."""
    if service in ("s3", "sts"):
        code, message = (re.search(rb"<%s>(.*?)</%s>" % (tag, tag), body, re.S) for tag in (b"Code", b"Message"))
        return code.group(1).decode(), message.group(1).decode().replace("&apos;", "'").replace("&quot;", '"')
    told = json.loads(body)
    assert told["__type"] == head["x-amzn-errortype"].split(":")[0]
    return told["__type"], told.get("message", told.get("Message", "")) # the framework's own exception has it with a capital, or none


def check_count(message):
    """An empty text may break two rules of its member: pattern first, then length."""
    assert re.match("1 validation error detected: |2 validation errors detected: ", message)
    assert len(set(re.findall(r" at '([^']*)' failed", message))) == 1
    assert "2 v" not in message[:3] or message.index("regular expression") < message.index("Member must have length")


def start(**changes):
    request = {"clientToken": "t", "executionRoleArn": ROLE, "releaseLabel": "emr-6.2.0-latest", "jobDriver": DRIVER, **changes}
    return {k: v for k, v in request.items() if v is not None}


def create(**changes):
    return {k: v for k, v in {"clientToken": "t", "name": "n", "containerProvider": PROVIDER, **changes}.items() if v is not None}


def monitoring(**kinds):
    return {"configurationOverrides": {"monitoringConfiguration": kinds}}


def spark(**members):
    return {"jobDriver": {"sparkSubmitJobDriver": members}}


# method, path, body, what the message says; each is a 400 ValidationException about one member. The values of sensitive ones are left out.
EMR = [
    ("POST", RUNS, start(releaseLabel=""), SHORT % ("", "releaseLabel", 1)),
    ("POST", RUNS, start(releaseLabel="x" * 65), LONG % ("x" * 65, "releaseLabel", 64)),
    ("POST", RUNS, start(releaseLabel="emr 6"), "Value 'emr 6' at 'releaseLabel' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("POST", RUNS, start(name=""), SHORT % ("", "name", 1)),
    ("POST", RUNS, start(name="n" * 65), LONG % ("n" * 65, "name", 64)),
    ("POST", RUNS, start(name="a b"), "Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("POST", RUNS, start(clientToken=""), SHORT % ("", "clientToken", 1)),
    ("POST", RUNS, start(clientToken="c" * 65), LONG % ("c" * 65, "clientToken", 64)),
    ("POST", RUNS, start(executionRoleArn="x" * 19), "Value '%s' at 'executionRoleArn' failed to satisfy constraint: Member must " % ("x" * 19)),
    ("POST", RUNS, start(executionRoleArn="arn:aws:iam::1:role/job"), "at 'executionRoleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("POST", RUNS, start(**spark()), NULL % "jobDriver.sparkSubmitJobDriver.entryPoint"),
    ("POST", RUNS, start(**spark(entryPoint="")), "Value at 'jobDriver.sparkSubmitJobDriver.entryPoint' failed to satisfy constraint: Member must have length greater than or equal to 1"),
    ("POST", RUNS, start(**spark(entryPoint="e" * 257)), "at 'jobDriver.sparkSubmitJobDriver.entryPoint' failed to satisfy constraint: Member must have length less than or equal to 256"),
    ("POST", RUNS, start(**monitoring(persistentAppUI="MAYBE")), ENUM % ("MAYBE", "configurationOverrides.monitoringConfiguration.persistentAppUI", "ENABLED, DISABLED")),
    ("POST", RUNS, start(**monitoring(s3MonitoringConfiguration={})), NULL % "configurationOverrides.monitoringConfiguration.s3MonitoringConfiguration.logUri"),
    ("POST", RUNS, start(**monitoring(cloudWatchMonitoringConfiguration={})), NULL % "configurationOverrides.monitoringConfiguration.cloudWatchMonitoringConfiguration.logGroupName"),
    ("POST", RUNS, start(**monitoring(cloudWatchMonitoringConfiguration={"logGroupName": ""})), SHORT % ("", "configurationOverrides.monitoringConfiguration.cloudWatchMonitoringConfiguration.logGroupName", 1)),
    ("POST", RUNS, start(retryPolicyConfiguration={}), NULL % "retryPolicyConfiguration.maxAttempts"),
    ("POST", RUNS, start(tags={"": "v"}), "at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: ["),
    ("POST", RUNS, start(tags={"k" * 129: "v"}), "at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: ["),
    ("POST", RUNS, start(tags={"k": "v" * 257}), "at 'tags' failed to satisfy constraint: Map value must satisfy constraint: ["),
    ("POST", "/virtualclusters", create(name=None), NULL % "name"),
    ("POST", "/virtualclusters", create(name=""), SHORT % ("", "name", 1)),
    ("POST", "/virtualclusters", create(name="n" * 65), LONG % ("n" * 65, "name", 64)),
    ("POST", "/virtualclusters", create(containerProvider=None), NULL % "containerProvider"),
    ("POST", "/virtualclusters", create(containerProvider={**PROVIDER, "type": "ECS"}), ENUM % ("ECS", "containerProvider.type", "EKS")),
    ("POST", "/virtualclusters", create(containerProvider={"type": "EKS", "info": PROVIDER["info"]}), NULL % "containerProvider.id"),
    ("POST", "/virtualclusters", create(containerProvider={**PROVIDER, "id": "a b"}), "Value 'a b' at 'containerProvider.id' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("POST", "/virtualclusters", create(containerProvider={**PROVIDER, "info": {"eksInfo": {"namespace": "N"}}}), "at 'containerProvider.info.eksInfo.namespace' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("POST", "/virtualclusters", create(containerProvider={**PROVIDER, "info": {"eksInfo": {"namespace": "n" * 64}}}), "at 'containerProvider.info.eksInfo.namespace' failed to satisfy constraint: Member must have length less than or equal to 63"),
    ("POST", "/virtualclusters", create(tags={"k%d" % i: "v" for i in range(51)}), "at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"),
    ("GET", "/virtualclusters/" + "x" * 65, None, "at 'id' failed to satisfy constraint: Member must have length less than or equal to 64"),
    ("GET", "/virtualclusters/A", None, "Value 'A' at 'id' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("DELETE", "/virtualclusters/A", None, "Value 'A' at 'id' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("GET", "/virtualclusters?states=NOWHERE", None, "NOWHERE"),
    ("GET", "/virtualclusters?containerProviderType=ECS", None, ENUM % ("ECS", "containerProviderType", "EKS")),
    ("GET", RUNS + "?states=NOWHERE", None, STATES),
    ("GET", RUNS + "/A", None, "Value 'A' at 'id' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("DELETE", RUNS + "/" + "x" * 65, None, "at 'id' failed to satisfy constraint: Member must have length less than or equal to 64"),
    ("GET", "/tags/nothing", None, "at 'resourceArn' failed to satisfy constraint: Member must "),
    ("POST", "/tags/" + ARN.replace("/", "%2F"), {}, NULL % "tags"),
    ("DELETE", "/tags/" + ARN.replace("/", "%2F"), None, NULL % "tagKeys"),
]


@pytest.mark.parametrize("method, path, body, words", EMR, ids=["%02d-%s" % (i, row[3][-40:]) for i, row in enumerate(EMR)])
def test_one_wrong_member_in_emr_containers(ember, method, path, body, words):
    path, _, query = path.partition("?")
    status, head, answer = ask(ember, "emr-containers", method, path, body, query=query)
    code, message = read("emr-containers", head, answer)
    assert (status, code) == (400, "ValidationException") and words in message, (status, code, message)
    check_count(message)


def test_members_the_service_needs_are_asked_for_before_anything_is_looked_up(ember):
    """The model has them as optional: a job template may bring them. The virtual cluster is not there."""
    missing = "Value null at '%s' failed to satisfy constraint: Member must not be null"
    for body, words in ((start(releaseLabel=None, jobDriver=None), "2 validation errors detected: %s; %s" % (missing % "releaseLabel", missing % "jobDriver")),
                        (start(releaseLabel=None), "1 validation error detected: " + missing % "releaseLabel"),
                        (start(jobDriver={"sparkSqlJobDriver": {}}), "1 validation error detected: " + missing % "jobDriver.sparkSqlJobDriver.entryPoint")):
        status, head, answer = ask(ember, "emr-containers", "POST", RUNS, body)
        assert (status, *read("emr-containers", head, answer)) == (400, "ValidationException", words)
    status, head, answer = ask(ember, "emr-containers", "POST", RUNS, start())
    assert read("emr-containers", head, answer) == ("ResourceNotFoundException", "Virtual cluster abc doesn't exist.")


def test_violations_come_all_at_once_in_the_order_of_the_model(ember):
    status, head, answer = ask(ember, "emr-containers", "POST", RUNS, {"name": "", "clientToken": "", "releaseLabel": "", "tags": {"k": "v" * 300}})
    code, message = read("emr-containers", head, answer)
    assert (status, code) == (400, "ValidationException")
    count = int(message.split()[0])
    assert message.startswith("%d validation errors detected: " % count) and message.count("failed to satisfy constraint") >= count >= 4
    at = [message.index("'%s'" % name) for name in ("name", "clientToken", "releaseLabel", "tags")]
    assert at == sorted(at)


LOGS = [
    ("CreateLogGroup", {}, NULL % "logGroupName"),
    ("CreateLogGroup", {"logGroupName": ""}, SHORT % ("", "logGroupName", 1)),
    ("CreateLogGroup", {"logGroupName": "g" * 513}, LONG % ("g" * 513, "logGroupName", 512)),
    ("CreateLogGroup", {"logGroupName": "a b"}, "Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("CreateLogStream", {"logGroupName": "g"}, NULL % "logStreamName"),
    ("CreateLogStream", {"logGroupName": "g", "logStreamName": "a:b"}, "Value 'a:b' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("PutLogEvents", {"logGroupName": "g", "logStreamName": "s"}, NULL % "logEvents"),
    ("PutLogEvents", {"logGroupName": "g", "logStreamName": "s", "logEvents": []}, "at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1"),
    ("PutLogEvents", {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"message": "m"}]}, NULL % "logEvents.1.member.timestamp"),
    ("PutLogEvents", {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": -1, "message": "m"}]}, "at 'logEvents.1.member.timestamp' failed to satisfy constraint: Member must have value greater than or equal to 0"),
    ("PutLogEvents", {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": ""}]}, "at 'logEvents.1.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1"),
    ("DescribeLogGroups", {"limit": 0}, "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"),
    ("DescribeLogGroups", {"limit": 51}, "Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"),
    ("DescribeLogStreams", {"logGroupName": "g", "orderBy": "Size"}, ENUM % ("Size", "orderBy", "LogStreamName, LastEventTime")),
    ("GetLogEvents", {"logGroupName": "g", "logStreamName": "s", "limit": 10001}, "Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"),
]


@pytest.mark.parametrize("operation, body, words", LOGS, ids=["%02d-%s" % (i, row[0]) for i, row in enumerate(LOGS)])
def test_one_wrong_member_in_logs(ember, operation, body, words):
    status, head, answer = ask(ember, "logs", "POST", operation, body)
    code, message = read("logs", head, answer)
    assert (status, code) == (400, "InvalidParameterException") and words in message, (status, code, message)
    check_count(message)


OTHERS = [
    ("emr-containers", "POST", RUNS, b"{", 400, "SerializationException", ""),
    ("emr-containers", "POST", RUNS, b'{"name": 5, "clientToken": {}}', 400, "SerializationException", ""),
    ("emr-containers", "POST", RUNS, b"[]", 400, "SerializationException", ""),
    ("emr-containers", "PUT", RUNS, b"", 404, "UnknownOperationException", ""),
    ("emr-containers", "GET", "/nothing", b"", 404, "UnknownOperationException", ""),
    ("logs", "POST", "NoSuchThing", b"{}", 400, "UnknownOperationException", ""),
    ("logs", "POST", "CreateLogGroup", b"{", 400, "SerializationException", ""),
    ("logs", "POST", "CreateLogGroup", b'{"logGroupName": 5}', 400, "SerializationException", ""),
    ("sts", "POST", "/", b"Action=NoSuchThing&Version=2011-06-15", 400, "InvalidAction", "Could not find operation NoSuchThing for version 2011-06-15"),
    ("eks", "GET", "/clusters/nowhere", b"", 404, "ResourceNotFoundException", "No cluster found for name: nowhere."),
    ("s3", "PUT", "/Bad_Name", b"", 400, "InvalidBucketName", "The specified bucket is not valid."),
    ("s3", "PUT", "/ab", b"", 400, "InvalidBucketName", "The specified bucket is not valid."),
    ("s3", "GET", "/nowhere", b"", 404, "NoSuchBucket", "The specified bucket does not exist"),
    ("s3", "PUT", "/nowhere/key", b"x", 404, "NoSuchBucket", "The specified bucket does not exist"),
    ("s3", "GET", "/there/nothing", b"", 404, "NoSuchKey", "The specified key does not exist."),
    ("s3", "GET", "/there?list-type=2&max-keys=x", b"", 400, "InvalidArgument", ""),
    ("s3", "POST", "/there?delete=", b"<Delete", 400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"),
    ("s3", "GET", "/there/k?uploadId=nothing", b"", 404, "NoSuchUpload", ""),
    ("s3", "PUT", "/there/" + "k" * 1025, b"x", 400, "KeyTooLongError", "Your key is too long"),
    ("s3", "GET", "/there?acl=", b"", 501, "NotImplemented", ""),
]


FORMS = [ # service, content type, body, status, code (None: a success)
    ("logs", "application/x-amz-json-1.1; charset=utf-8", b'{"limit": 1}', None),
    ("logs", "APPLICATION/X-AMZ-JSON-1.1", b'{"limit": 1.0, "nextToken": null, "unheardOf": {"of": []}}', None),
    ("logs", "application/json", b'{"limit": 1, "limit": 2}', None),
    ("logs", "application/x-amz-json-1.1", b'{"limit": 99999999999}', "InvalidParameterException"), # becomes the largest integer, which is too large
    ("logs", "application/x-amz-json-1.1", b"\xef\xbb\xbf{}", "SerializationException"),
    ("logs", "application/x-amz-json-1.1", b"", "SerializationException"),
    ("logs", "application/x-amz-json-1.1", b"null", "SerializationException"),
    ("logs", "application/x-amz-json-1.1", b'{"logGroupNamePrefix": "\\ud800"}', "SerializationException"),
    ("logs", "application/x-amz-json-1.1", b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "SerializationException"),
    ("sts", "application/x-www-form-urlencoded; charset=utf-8", b"Action=GetCallerIdentity&Version=2011-06-15", None),
    ("sts", "application/x-www-form-urlencoded", b"Version=2011-06-15&Unheard.member.3=x&Action=GetCallerIdentity&", None),
]


@pytest.mark.parametrize("service, kind, body, code", FORMS, ids=["%02d-%s" % (i, row[3] or row[0]) for i, row in enumerate(FORMS)])
def test_bodies_and_their_types(ember, service, kind, body, code):
    path = "DescribeLogGroups" if service == "logs" else "/"
    status, head, answer = ask(ember, service, "POST", path, body, headers={"Content-Type": kind})
    assert (status, code and read(service, head, answer)[0]) == (400 if code else 200, code), answer


def test_unknown_members_are_ignored_everywhere(ember):
    status, head, answer = ask(ember, "emr-containers", "GET", "/virtualclusters", headers={"X-Amz-Unheard-Of": "x"}, query="maxResults=1&unheardOf=x")
    assert status == 200, answer
    status, head, answer = ask(ember, "emr-containers", "POST", RUNS, start(unheardOf={"a": [1, None]}))
    assert read("emr-containers", head, answer)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("query", ["maxResults=x", "maxResults=1.0", "maxResults=99999999999", "maxResults=", "createdAfter=yesterday", "eksAccessEntryIntegrated=yes"])
def test_values_in_a_query_that_are_none(ember, query):
    status, head, answer = ask(ember, "emr-containers", "GET", "/virtualclusters", query=query)
    assert (status, read("emr-containers", head, answer)[0]) == (400, "SerializationException"), answer


@pytest.mark.parametrize("at", ["2026-11-21T21%3A10%3A00Z", "2026-11-21T21%3A10%3A00.123Z", "2026-11-21T23%3A10%3A00%2B02%3A00", "1795295400", "1795295400.5"])
def test_times_in_a_query_in_every_form(ember, at):
    assert ask(ember, "emr-containers", "GET", "/virtualclusters", query="createdAfter=" + at)[0] == 200


@pytest.fixture(scope="module")
def there(ember):
    ember.client("s3").create_bucket(Bucket="there")


@pytest.mark.parametrize("service, method, path, body, status, code, words", OTHERS, ids=["%02d-%s-%s" % (i, row[0], row[5]) for i, row in enumerate(OTHERS)])
def test_refusals_of_every_protocol(ember, there, service, method, path, body, status, code, words):
    path, _, query = path.partition("?")
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if service == "sts" else {}
    if query == "delete=":
        headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
    got, head, answer = ask(ember, service, method, path, body, headers=headers, query=query)
    told, message = read(service, head, answer)
    assert (got, told) == (status, code) and words in message, (got, told, message)
