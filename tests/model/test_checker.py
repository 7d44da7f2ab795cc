"""The checker sees what is wrong: good answers with one thing changed."""
import json, pathlib, sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import checker, exchanges

ID = "01234567-89ab-cdef-0123-456789abcdef"
CLUSTER = {"id": "abc", "name": "demo", "arn": "arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/abc", "state": "RUNNING",
           "containerProvider": {"type": "EKS", "id": "local", "info": {"eksInfo": {"namespace": "ns"}}}, "createdAt": "2026-11-21T21:10:00Z"}


def emr(body, status=200, **headers):
    return dict(service="emr-containers", operation="DescribeVirtualCluster", method="GET", path="/virtualclusters/abc", requestHeaders=[], status=status,
                headers=[["x-amzn-RequestId", ID], ["Content-Type", "application/json"], *([k.replace("_", "-"), v] for k, v in headers.items())],
                body=json.dumps(body) if not isinstance(body, str) else body)


def s3(body, operation="ListBuckets", method="GET", status=200):
    return dict(service="s3", operation=operation, method=method, path="/", requestHeaders=[], status=status,
                headers=[["x-amz-request-id", "0123456789ABCDEF"], ["x-amz-id-2", "eA=="], ["Content-Type", "application/xml"]], body=body)


def sts(body, status=200):
    return dict(service="sts", operation="GetCallerIdentity", method="POST", path="/", requestHeaders=[], status=status,
                headers=[["x-amzn-RequestId", ID], ["Content-Type", "text/xml"]], body=body)


def cluster(**changes):
    return {"virtualCluster": {k: v for k, v in {**CLUSTER, **changes}.items() if v is not Ellipsis}}


BUCKETS = '<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets><Bucket><Name>%s</Name><CreationDate>%s</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>'
S3_ERROR = "<Error><Code>%s</Code><Message>m</Message><RequestId>%s</RequestId><HostId>eA==</HostId></Error>"
IDENTITY = ('<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>1</Account>%s</GetCallerIdentityResult>'
            "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></GetCallerIdentityResponse>")
NOT_FOUND = {"__type": "ResourceNotFoundException", "message": "m"}

GOOD = [
    emr(cluster()),
    emr(NOT_FOUND, 400, x_amzn_ErrorType="ResourceNotFoundException"),
    s3(BUCKETS % ("b", "2026-11-21T21:10:00.000Z")),
    s3(S3_ERROR % ("NoSuchBucket", "0123456789ABCDEF"), status=404),
    sts(IDENTITY % ("", ID)),
]
BAD = [
    (emr(cluster(colour="red")), "no member"),
    (emr(cluster(state="SLEEPING")), "enum"),
    (emr(cluster(createdAt=1795295400)), "iso8601"),
    (emr(cluster(createdAt="2026-11-21 21:10")), "timestamp"),
    (emr(cluster(name=5)), "no text"),
    (emr(cluster(name=None)), "null"),
    (emr(cluster(id="A B")), "match"),
    (emr(cluster(containerProvider={"type": "EKS"})), "required"),
    (emr('{"virtualCluster": {"id": "abc", "id": "abc"}}'), "twice"),
    (emr("{"), "read"),
    (emr(cluster(), 201), "status"),
    (dict(emr(cluster()), headers=[["Content-Type", "application/json"]]), "requestid"),
    (dict(emr(cluster()), headers=[["x-amzn-RequestId", ID]]), "content-type"),
    (emr(NOT_FOUND, 404, x_amzn_ErrorType="ResourceNotFoundException"), "status"),
    (emr(NOT_FOUND, 400), "errortype"),
    (emr({"__type": "SomethingElse", "message": "m"}, 400, x_amzn_ErrorType="SomethingElse"), "neither"),
    (emr(dict(NOT_FOUND, colour="red"), 400, x_amzn_ErrorType="ResourceNotFoundException"), "no member"),
    (s3(BUCKETS.replace("<Name>", "<Colour>red</Colour><Name>") % ("b", "2026-11-21T21:10:00.000Z")), "no member"),
    (s3(BUCKETS % ("b", "yesterday")), "timestamp"),
    (s3(BUCKETS.replace(' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', "") % ("b", "2026-11-21T21:10:00.000Z")), "root"),
    (s3(S3_ERROR % ("NoSuchBucket", "X"), status=404), "ids"),
    (s3(S3_ERROR % ("NoSuchBucket", "0123456789ABCDEF"), status=400), "status"),
    (s3(S3_ERROR % ("NoSuchColour", "0123456789ABCDEF"), status=404), "neither"),
    (s3(S3_ERROR % ("NoSuchBucket", "0123456789ABCDEF"), method="HEAD", status=404), "body"),
    (sts(IDENTITY % ("<Colour/>", ID)), "no member"),
    (sts(IDENTITY % ("", "other")), "differs"),
]


@pytest.mark.parametrize("row", GOOD, ids=range(len(GOOD)))
def test_good_answers_pass(row):
    assert not checker.problems_of(exchanges.Exchange(row))


@pytest.mark.parametrize("row, words", BAD, ids=["%02d-%s" % (i, row[1]) for i, row in enumerate(BAD)])
def test_bad_answers_do_not(row, words):
    told = checker.problems_of(exchanges.Exchange(row))
    assert any(words in problem for problem in told), told
