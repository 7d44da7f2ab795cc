"""Operations that no other test needs on its way: what each answers, and that it did it."""
import datetime

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def logs(ember):
    client = ember.client("logs")
    client.create_log_group(logGroupName="other")
    return client


@pytest.fixture(scope="module")
def s3(ember):
    client = ember.client("s3")
    client.create_bucket(Bucket="other")
    return client


def code_of(call, **arguments):
    with pytest.raises(ClientError) as e:
        call(**arguments)
    return e.value.response["Error"]["Code"]


def test_log_streams_are_described_in_either_order_and_deleted(logs):
    for name in ("b", "a", "c"):
        logs.create_log_stream(logGroupName="other", logStreamName=name)
    now = int(datetime.datetime.now().timestamp() * 1000)
    logs.put_log_events(logGroupName="other", logStreamName="b", logEvents=[{"timestamp": now, "message": "late"}])
    logs.put_log_events(logGroupName="other", logStreamName="c", logEvents=[{"timestamp": now - 1000, "message": "early"}])
    streams = logs.describe_log_streams(logGroupName="other")["logStreams"]
    assert [s["logStreamName"] for s in streams] == ["a", "b", "c"]
    assert streams[1]["firstEventTimestamp"] == streams[1]["lastEventTimestamp"] == now and "lastEventTimestamp" not in streams[0]
    assert streams[1]["arn"].endswith(":log-group:other:log-stream:b")
    by_time = logs.describe_log_streams(logGroupName="other", orderBy="LastEventTime", descending=True)["logStreams"]
    assert [s["logStreamName"] for s in by_time[:2]] == ["b", "c"]
    assert [s["logStreamName"] for s in logs.describe_log_streams(logGroupName="other", logStreamNamePrefix="c")["logStreams"]] == ["c"]
    pages = list(logs.get_paginator("describe_log_streams").paginate(logGroupName="other", PaginationConfig={"PageSize": 1}))
    assert [s["logStreamName"] for page in pages for s in page["logStreams"]] == ["a", "b", "c"]
    logs.delete_log_stream(logGroupName="other", logStreamName="b")
    assert [s["logStreamName"] for s in logs.describe_log_streams(logGroupName="other")["logStreams"]] == ["a", "c"]
    assert code_of(logs.delete_log_stream, logGroupName="other", logStreamName="b") == "ResourceNotFoundException"


def test_retention_is_put_and_taken_away(logs):
    def days():
        return logs.describe_log_groups(logGroupNamePrefix="other")["logGroups"][0].get("retentionInDays")
    assert days() is None
    logs.put_retention_policy(logGroupName="other", retentionInDays=7)
    assert days() == 7
    logs.delete_retention_policy(logGroupName="other")
    assert days() is None
    assert code_of(logs.put_retention_policy, logGroupName="other", retentionInDays=8) == "InvalidParameterException"
    assert code_of(logs.put_retention_policy, logGroupName="nowhere", retentionInDays=7) == "ResourceNotFoundException"


def test_a_bucket_has_a_head_and_a_place(s3):
    s3.head_bucket(Bucket="other")
    assert code_of(s3.head_bucket, Bucket="nowhere") == "404"
    assert s3.get_bucket_location(Bucket="other")["LocationConstraint"] is None # us-east-1 says so by saying nothing
    assert code_of(s3.get_bucket_location, Bucket="nowhere") == "NoSuchBucket"


def test_objects_are_copied_with_and_without_their_headers(s3):
    put = s3.put_object(Bucket="other", Key="from here", Body=b"copied", ContentType="text/x", Metadata={"colour": "red"})
    done = s3.copy_object(Bucket="other", Key="kept", CopySource={"Bucket": "other", "Key": "from here"})["CopyObjectResult"]
    assert done["ETag"] == put["ETag"] and done["LastModified"]
    kept = s3.get_object(Bucket="other", Key="kept")
    assert (kept["Body"].read(), kept["ContentType"], kept["Metadata"]) == (b"copied", "text/x", {"colour": "red"})
    s3.copy_object(Bucket="other", Key="replaced", CopySource="other/from here", MetadataDirective="REPLACE", ContentType="text/y")
    replaced = s3.head_object(Bucket="other", Key="replaced")
    assert (replaced["ContentType"], replaced["Metadata"]) == ("text/y", {})
    assert code_of(s3.copy_object, Bucket="other", Key="x", CopySource="other/nothing") == "NoSuchKey"
    assert code_of(s3.copy_object, Bucket="other", Key="x", CopySource="other/kept", CopySourceIfNoneMatch=put["ETag"]) == "PreconditionFailed"


def test_objects_are_listed_in_the_old_way(s3):
    for key in ("list/a", "list/b/1", "list/b/2", "list/c"):
        s3.put_object(Bucket="other", Key=key, Body=b"")
    page = s3.list_objects(Bucket="other", Prefix="list/", Delimiter="/", MaxKeys=2)
    assert ([o["Key"] for o in page["Contents"]], [p["Prefix"] for p in page["CommonPrefixes"]], page["IsTruncated"]) == (["list/a"], ["list/b/"], True)
    rest = s3.list_objects(Bucket="other", Prefix="list/", Delimiter="/", Marker=page["NextMarker"])
    assert ([o["Key"] for o in rest["Contents"]], rest["IsTruncated"]) == (["list/c"], False)


def test_an_upload_in_parts_is_listed_copied_into_and_given_up(s3):
    s3.put_object(Bucket="other", Key="source", Body=b"0123456789")
    upload = s3.create_multipart_upload(Bucket="other", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="other", Key="parts", UploadId=upload, PartNumber=2, Body=b"second")
    copied = s3.upload_part_copy(Bucket="other", Key="parts", UploadId=upload, PartNumber=1, CopySource="other/source", CopySourceRange="bytes=2-5")
    listed = s3.list_parts(Bucket="other", Key="parts", UploadId=upload)
    assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in listed["Parts"]] == [(1, 4, copied["CopyPartResult"]["ETag"]), (2, 6, part["ETag"])]
    assert [(u["Key"], u["UploadId"]) for u in s3.list_multipart_uploads(Bucket="other")["Uploads"]] == [("parts", upload)]
    s3.abort_multipart_upload(Bucket="other", Key="parts", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="other")
    assert code_of(s3.list_parts, Bucket="other", Key="parts", UploadId=upload) == "NoSuchUpload"
    assert code_of(s3.abort_multipart_upload, Bucket="other", Key="parts", UploadId="nothing") == "NoSuchUpload"


def test_the_limits_of_a_virtual_cluster_are_changed_and_cleared(ember):
    emr = ember.client("emr-containers")
    provider = {"type": "EKS", "id": "local", "info": {"eksInfo": {"namespace": ember.namespace("other")}}}
    one = emr.create_virtual_cluster(name="limits", containerProvider=provider)["id"]
    def update(**arguments):
        return emr.update_virtual_cluster(id=one, clientToken="t%d" % len(arguments), **arguments)["virtualCluster"]
    limits = {"maxConcurrentJobRuns": 2, "maxInQueueJobRuns": 5}
    assert update(schedulerConfiguration=limits)["schedulerConfiguration"] == limits
    assert emr.describe_virtual_cluster(id=one)["virtualCluster"]["schedulerConfiguration"] == limits
    assert update()["schedulerConfiguration"] == limits
    assert not emr.update_virtual_cluster(id=one, schedulerConfiguration={})["virtualCluster"].get("schedulerConfiguration")
    assert code_of(emr.update_virtual_cluster, id="nothing") == "ResourceNotFoundException"
    emr.delete_virtual_cluster(id=one)
