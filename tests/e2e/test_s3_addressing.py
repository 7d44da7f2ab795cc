"""Buckets named by the host, and the signatures of version 2 that boto3 and the AWS CLI still make. Names of hosts need no resolver: the clients
are told that Ember is their proxy, so they send it what they would send to that host."""
import base64, hashlib, http.client, re, time, urllib.error, urllib.parse, urllib.request

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

from signing import plain, presigned


@pytest.fixture(scope="module")
def s3(ember):
    client = ember.client("s3")
    client.create_bucket(Bucket="hosted")
    client.create_bucket(Bucket="my.dotted.bucket")
    return client


HOSTS = ["http://localhost", "http://s3.localhost", "http://s3.us-east-1.localhost", "http://s3.us-east-1.amazonaws.com", "http://s3.amazonaws.com"]


def virtual(ember, endpoint, version=None, **more):
    config = botocore.config.Config(s3={"addressing_style": "virtual"}, proxies={"http": ember.endpoint}, signature_version=version,
                                    retries={"total_max_attempts": 1})
    return ember.client("s3", endpoint_url=endpoint, config=config, **more)


@pytest.mark.parametrize("version", [None, "s3"], ids=["v4", "v2"])
@pytest.mark.parametrize("endpoint", HOSTS)
def test_boto3_names_the_bucket_by_the_host(ember, s3, endpoint, version):
    client, key = virtual(ember, endpoint, version), "a b+c/ü//x/y"
    client.put_object(Bucket="hosted", Key=key, Body=b"hello")
    assert client.get_object(Bucket="hosted", Key=key)["Body"].read() == b"hello"
    assert s3.get_object(Bucket="hosted", Key=key)["Body"].read() == b"hello"
    assert [o["Key"] for o in client.list_objects_v2(Bucket="hosted", Prefix="a b")["Contents"]] == [key]
    assert client.head_bucket(Bucket="hosted")["ResponseMetadata"]["HTTPStatusCode"] == 200
    client.delete_objects(Bucket="hosted", Delete={"Objects": [{"Key": key}]})
    assert "Contents" not in client.list_objects_v2(Bucket="hosted")
    assert {b["Name"] for b in client.list_buckets()["Buckets"]} >= {"hosted"}
    with pytest.raises(ClientError) as e:
        client.get_object(Bucket="nowhere", Key="k")
    assert e.value.response["Error"]["Code"] == "NoSuchBucket"


def test_bucket_names_with_dots(ember, s3):
    client = virtual(ember, "http://s3.us-east-1.amazonaws.com")
    s3.put_object(Bucket="my.dotted.bucket", Key="k", Body=b"x")
    host = "my.dotted.bucket.s3.us-east-1.amazonaws.com"
    status, _, answer = plain(ember, "GET", presigned(ember, "s3", path="/k", host=host), {"Host": host})
    assert (status, answer) == (200, b"x")
    assert client.get_object(Bucket="my.dotted.bucket", Key="k")["Body"].read() == b"x"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize("endpoint", HOSTS)
def test_urls_to_a_virtual_host(ember, s3, endpoint, version):
    s3.put_object(Bucket="hosted", Key="url k", Body=b"hello")
    url = urllib.parse.urlsplit(virtual(ember, endpoint, version).generate_presigned_url("get_object", Params={"Bucket": "hosted", "Key": "url k"}))
    assert url.netloc.startswith("hosted.")
    status, _, answer = plain(ember, "GET", "%s?%s" % (url.path, url.query), {"Host": url.netloc})
    assert (status, answer) == (200, b"hello")
    other = url.netloc.replace("hosted.", "other.", 1)
    assert plain(ember, "GET", "%s?%s" % (url.path, url.query), {"Host": other})[0] == 403


def test_the_cli_names_the_bucket_by_the_host(ember, s3, tmp_path):
    config, file = tmp_path / "config", tmp_path / "file"
    config.write_text("[default]\ns3 =\n    addressing_style = virtual\n")
    file.write_bytes(b"from the CLI")
    env = {"AWS_CONFIG_FILE": str(config), "HTTP_PROXY": ember.endpoint, "AWS_ENDPOINT_URL": "http://s3.us-east-1.amazonaws.com", "NO_PROXY": ""}
    ember.aws("s3", "cp", file, "s3://hosted/cli/file", env=env)
    assert s3.get_object(Bucket="hosted", Key="cli/file")["Body"].read() == b"from the CLI"
    assert "file" in ember.aws("s3", "ls", "s3://hosted/cli/", env=env)
    url = ember.aws("s3", "presign", "s3://hosted/cli/file", env=env).strip()
    parts = urllib.parse.urlsplit(url)
    assert parts.netloc == "hosted.s3.us-east-1.amazonaws.com"
    assert plain(ember, "GET", "%s?%s" % (parts.path, parts.query), {"Host": parts.netloc})[2] == b"from the CLI"


# ---- version 2 ----

def fetch(url, method="GET", data=None, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers or {}, method=method), timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def test_what_boto3_presigns_by_default(ember, s3):
    """In us-east-1, where they are still of version 2, and in a newer region, where they are not."""
    s3.put_object(Bucket="hosted", Key="k", Body=b"hello")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "hosted", "Key": "k", "ResponseContentType": "text/x"})
    assert "AWSAccessKeyId=" in url and "X-Amz-Signature" not in url
    assert fetch(url) == (200, b"hello")
    put = s3.generate_presigned_url("put_object", Params={"Bucket": "hosted", "Key": "put"})
    assert fetch(put, "PUT", b"by url", {"Content-Type": ""})[0] == 200
    typed = s3.generate_presigned_url("put_object", Params={"Bucket": "hosted", "Key": "put", "ContentType": "text/plain", "Metadata": {"a": "b"}})
    assert fetch(typed, "PUT", b"typed", {"Content-Type": "text/plain", "x-amz-meta-a": "b"})[0] in (200, 403) # as AWS: the query stands for the header
    assert fetch(typed, "PUT", b"typed", {"Content-Type": "text/html"})[0] == 403
    head = s3.generate_presigned_url("head_object", Params={"Bucket": "hosted", "Key": "k"})
    assert fetch(head, "HEAD")[0] == 200 and fetch(head, "GET")[0] == 403
    listed = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": "hosted"})
    assert fetch(listed)[0] == 200
    assert fetch(s3.generate_presigned_url("delete_object", Params={"Bucket": "hosted", "Key": "put"}), "DELETE")[0] == 204


# ---- headers in the query ----

def code_of(answer):
    return re.search(rb"<Code>(.*?)</Code>", answer).group(1).decode()


def put_url(ember, pairs):
    """A URL of version 4 to put an object, with more in its query, as the SDK for JavaScript makes them."""
    return presigned(ember, "s3", path="/hosted/hoisted", method="PUT", change=lambda query: query.update(pairs))


def test_metadata_in_the_query_of_a_url_is_kept(ember, s3):
    url = put_url(ember, {"x-amz-meta-a": "b c", "X-Amz-Meta-Upper": "D+ü", "x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"})
    assert plain(ember, "PUT", url, {}, b"hello")[0] == 200 # the checksum is of the empty body that the signer saw
    got = s3.get_object(Bucket="hosted", Key="hoisted")
    assert got["Body"].read() == b"hello" and got["Metadata"]["a"] == "b c" and set(got["Metadata"]) == {"a", "upper"}
    for changed in (url.replace("b%20c", "b%20d"), url.replace("x-amz-meta-a=", "x-amz-meta-e="), url + "&x-amz-meta-more=1"):
        assert plain(ember, "PUT", changed, {}, b"hello")[0] == 403
    assert s3.head_object(Bucket="hosted", Key="hoisted")["Metadata"] == got["Metadata"]


@pytest.mark.parametrize("pair", [("x-amz-meta-a", "b\r\nSet-Cookie: c"), ("x-amz-meta-a", "b\0"), ("x-amz-meta-a: b\r\nc", "d"), ("x-amz-meta-a b", "c")])
def test_what_can_be_no_header_is_refused(ember, s3, pair):
    s3.delete_object(Bucket="hosted", Key="hoisted")
    status, _, answer = plain(ember, "PUT", put_url(ember, dict([pair])), {}, b"hello")
    assert (status, code_of(answer)) == (400, "InvalidArgument")
    assert not s3.list_objects_v2(Bucket="hosted", Prefix="hoisted").get("Contents")


def test_headers_in_a_url_of_version_2_are_kept(ember, s3):
    md5 = base64.b64encode(hashlib.md5(b"right").digest()).decode()
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "hosted", "Key": "v2 headers", "ContentType": "text/x", "ContentMD5": md5, "Metadata": {"a": "b:c"}})
    assert "AWSAccessKeyId=" in url and "x-amz-meta-a" in url
    target = url.removeprefix(ember.endpoint)
    status, _, answer = plain(ember, "PUT", target, {}, b"wrong")
    assert (status, code_of(answer)) == (400, "BadDigest")
    assert plain(ember, "PUT", target, {}, b"right")[0] == 200
    got = s3.get_object(Bucket="hosted", Key="v2 headers")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"right", "text/x", {"a": "b:c"})
    for changed in ("x-amz-meta-a%3Ab=c", "x-amz-meta-a=b%3Ad", "x-amz-meta-a=b%3Ac%00"):
        assert plain(ember, "PUT", target.replace("x-amz-meta-a=b%3Ac", changed), {}, b"right")[0] == 403


def test_what_the_cli_presigns_by_default(ember, s3):
    s3.put_object(Bucket="hosted", Key="k", Body=b"hello")
    url = ember.aws("s3", "presign", "s3://hosted/k", "--expires-in", "60").strip()
    assert fetch(url) == (200, b"hello")
    ended = "AWSAccessKeyId=" in url and url.replace("Expires=", "Expires=1&x-Expires=") or url.replace("X-Amz-Expires=60", "X-Amz-Expires=0")
    assert fetch(ended)[0] == 403


@pytest.mark.parametrize("endpoint", [None, "http://s3.localhost"])
def test_a_client_that_signs_with_version_2(ember, s3, endpoint):
    config = botocore.config.Config(signature_version="s3", retries={"total_max_attempts": 1}, proxies={"http": ember.endpoint} if endpoint else None)
    client = ember.client("s3", config=config, **({"endpoint_url": endpoint} if endpoint else {}))
    client.put_object(Bucket="hosted", Key="v2 ü", Body=b"hello", Metadata={"a": "1", "b": "two  words"}, ContentType="text/x")
    got = client.get_object(Bucket="hosted", Key="v2 ü")
    assert (got["Body"].read(), got["Metadata"]["a"], got["ContentType"]) == (b"hello", "1", "text/x")
    upload = client.create_multipart_upload(Bucket="hosted", Key="v2")["UploadId"]
    part = client.upload_part(Bucket="hosted", Key="v2", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    client.complete_multipart_upload(Bucket="hosted", Key="v2", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"],
                                     **{k: v for k, v in part.items() if k.startswith("Checksum") and k != "ChecksumType"}}]})
    assert client.head_object(Bucket="hosted", Key="v2")["ContentLength"] == 100
    bad = ember.client("s3", config=config, aws_secret_access_key="no" * 20, **({"endpoint_url": endpoint} if endpoint else {}))
    with pytest.raises(ClientError) as e:
        bad.list_objects_v2(Bucket="hosted")
    assert e.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


@pytest.mark.parametrize("authorization, date, status, code", [
    ("AWS nothing", None, 400, b"InvalidArgument"),
    ("AWS A:b", "never", 403, b"AccessDenied"),
    ("AWS A:b", "Sat, 21 Nov 2020 21:10:00 GMT", 403, b"RequestTimeTooSkewed"),
    ("AWS A:b", None, 403, b"InvalidAccessKeyId"),
])
def test_broken_headers_of_version_2(ember, authorization, date, status, code):
    date = date or time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    got, _, answer = plain(ember, "GET", "/hosted/k", {"Authorization": authorization, "Date": date})
    assert got == status and b"<Code>" + code + b"</Code>" in answer
