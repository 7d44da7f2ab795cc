"""S3 through the whole endpoint, by boto3 and the AWS CLI."""
import io, os, re, urllib.error, urllib.request

import botocore.config
import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def s3(ember):
    client = ember.client("s3")
    client.create_bucket(Bucket="bucket")
    return client


def test_an_object_comes_back_as_it_went(s3):
    put = s3.put_object(Bucket="bucket", Key="a/b c+ü", Body=b"hello", ContentType="text/x", Metadata={"k": "v"})
    got = s3.get_object(Bucket="bucket", Key="a/b c+ü")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"], got["ETag"]) == (b"hello", "text/x", {"k": "v"}, put["ETag"])
    head = s3.head_object(Bucket="bucket", Key="a/b c+ü")
    assert (head["ContentLength"], head["ETag"]) == (5, put["ETag"])


def test_a_multipart_upload_of_20_mib(s3):
    data = os.urandom(20 << 20)
    s3.upload_fileobj(io.BytesIO(data), "bucket", "big")
    assert s3.head_object(Bucket="bucket", Key="big")["ETag"].endswith('-3"')
    assert s3.get_object(Bucket="bucket", Key="big")["Body"].read() == data
    assert s3.get_object(Bucket="bucket", Key="big", Range="bytes=8388600-8388700")["Body"].read() == data[8388600:8388701]


def test_lists_page(s3):
    for i in range(25):
        s3.put_object(Bucket="bucket", Key="list/%02d" % i, Body=b"x")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix="list/", PaginationConfig={"PageSize": 10}))
    assert [len(p["Contents"]) for p in pages] == [10, 10, 5]
    assert [c["Key"] for p in pages for c in p["Contents"]] == ["list/%02d" % i for i in range(25)]
    assert s3.list_objects_v2(Bucket="bucket", Prefix="li", Delimiter="/")["CommonPrefixes"] == [{"Prefix": "list/"}]


def test_deletes(s3):
    s3.put_object(Bucket="bucket", Key="gone", Body=b"x")
    s3.delete_object(Bucket="bucket", Key="gone")
    with pytest.raises(ClientError) as e:
        s3.get_object(Bucket="bucket", Key="gone")
    assert e.value.response["Error"]["Code"] == "NoSuchKey"


@pytest.mark.parametrize("operation, arguments, code, status", [
    ("get_object", {"Bucket": "nowhere", "Key": "k"}, "NoSuchBucket", 404),
    ("head_object", {"Bucket": "bucket", "Key": "nothing"}, "404", 404),
    ("create_bucket", {"Bucket": "Bad_Name"}, "InvalidBucketName", 400),
    ("delete_bucket", {"Bucket": "nowhere"}, "NoSuchBucket", 404),
    ("get_bucket_acl", {"Bucket": "bucket"}, "NotImplemented", 501),
])
def test_refusals(s3, operation, arguments, code, status):
    with pytest.raises(ClientError) as e:
        getattr(s3, operation)(**arguments)
    assert (e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


def test_the_cli_walks_through_a_bucket(ember, tmp_path):
    source, copy = tmp_path / "big", tmp_path / "copy"
    source.write_bytes(os.urandom(9 << 20))
    ember.aws("s3", "mb", "s3://by-cli")
    ember.aws("s3", "cp", "--quiet", source, "s3://by-cli/dir/big")
    assert "dir/" in ember.aws("s3", "ls", "s3://by-cli")
    ember.aws("s3", "cp", "--quiet", "s3://by-cli/dir/big", copy)
    assert copy.read_bytes() == source.read_bytes()
    ember.aws("s3", "rb", "--force", "s3://by-cli")
    assert "by-cli" not in ember.aws("s3", "ls")


def presigned(ember, version, operation="get_object", **params):
    client = ember.client("s3", config=botocore.config.Config(signature_version=version))
    return client.generate_presigned_url(operation, Params={"Bucket": "bucket", "Key": "a b/shared+ü", **params})


def status_of(url, **kwargs):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **kwargs)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_is_enough(ember, s3, version):
    s3.put_object(Bucket="bucket", Key="a b/shared+ü", Body=b"shared")
    assert status_of(presigned(ember, version)) == (200, b"shared")
    assert status_of(presigned(ember, version, ResponseContentType="text/x; a=b"))[0] == 200
    assert status_of(presigned(ember, version, "put_object", ContentType="text/y"), data=b"put", method="PUT",
                     headers={"Content-Type": "text/y"})[0] == 200
    assert status_of(presigned(ember, version)) == (200, b"put")


@pytest.mark.parametrize("version, name", [("s3v4", "X-Amz-Signature"), ("s3", "Signature")])
def test_a_presigned_url_is_for_what_it_was_made(ember, s3, version, name):
    url = presigned(ember, version)
    for wrong in (url.replace("shared", "share"), re.sub(name + "=[^&]{8}", name + "=deadbeef", url)):
        status, body = status_of(wrong)
        assert status == 403 and b"SignatureDoesNotMatch" in body
    assert status_of(url, data=b"x", method="PUT")[0] == 403


def test_old_presigned_urls_have_expired(ember, s3):
    client = ember.client("s3", config=botocore.config.Config(signature_version="s3"))
    url = client.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"}, ExpiresIn=-10)
    status, body = status_of(url)
    assert status == 403 and b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in body
