"""Checksums of S3 in every place where clients send them: headers, trailers, parts, whole uploads, and what is told when they are wrong."""
import base64, hashlib, struct, zlib

import botocore.config
import pytest
from botocore.exceptions import ClientError

from signing import signed

DATA = b"hello"
KINDS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


def crc(data, polynomial, bits):
    value = mask = (1 << bits) - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
    return (value ^ mask).to_bytes(bits // 8, "big")


def raw(kind, data):
    return {"CRC32": lambda: struct.pack(">I", zlib.crc32(data)), "CRC32C": lambda: crc(data, 0x82F63B78, 32),
            "CRC64NVME": lambda: crc(data, 0x9A6C9329AC4BC9B5, 64), "SHA1": lambda: hashlib.sha1(data).digest(),
            "SHA256": lambda: hashlib.sha256(data).digest()}[kind]()


def checksum(kind, data=DATA):
    return base64.b64encode(raw(kind, data)).decode()


def code_and_text(answer):
    import re
    return re.search(rb"<Code>(.*?)</Code>", answer).group(1).decode(), re.search(rb"<Message>(.*?)</Message>", answer).group(1).decode()


@pytest.fixture(scope="module")
def s3(ember):
    client = ember.client("s3")
    client.create_bucket(Bucket="sums")
    return client


def test_known_values():
    assert (checksum("CRC32"), checksum("CRC64NVME"), base64.b64encode(raw("CRC32C", b"123456789")).decode()) == ("NhCmhg==", "M3eFcAZSQlc=", "4waSgw==")


@pytest.mark.parametrize("kind", KINDS)
def test_a_checksum_in_a_header(ember, s3, kind):
    name = "Checksum" + kind
    put = s3.put_object(Bucket="sums", Key="header", Body=DATA, **{name: checksum(kind)})
    assert (put[name], put["ChecksumType"]) == (checksum(kind), "FULL_OBJECT")
    for got in (s3.get_object(Bucket="sums", Key="header", ChecksumMode="ENABLED"), s3.head_object(Bucket="sums", Key="header", ChecksumMode="ENABLED")):
        assert (got[name], got["ChecksumType"]) == (checksum(kind), "FULL_OBJECT")
    assert name not in s3.head_object(Bucket="sums", Key="header")
    assert name not in s3.get_object(Bucket="sums", Key="header", ChecksumMode="ENABLED", Range="bytes=0-1")
    with pytest.raises(ClientError) as e:
        s3.put_object(Bucket="sums", Key="wrong", Body=DATA, **{name: checksum(kind, b"other")})
    assert (e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]) == (
        "BadDigest", "The %s you specified did not match the calculated checksum." % kind)
    with pytest.raises(ClientError) as e:
        s3.put_object(Bucket="sums", Key="wrong", Body=DATA, **{name: "AAA="})
    assert e.value.response["Error"]["Message"] == "Value for x-amz-checksum-%s header is invalid." % kind.lower()
    assert "Contents" not in s3.list_objects_v2(Bucket="sums", Prefix="wrong")


def trailing(ember, kind, data=DATA, *, value=None, trailer=None, announced=None, decoded=None, tail=b"\r\n"):
    name = "x-amz-checksum-" + kind.lower()
    body = b"%x\r\n%s\r\n0\r\n%s:%s\r\n" % (len(data), data, (trailer or name).encode(), (value or checksum(kind, data)).encode()) + tail
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(data) if decoded is None else decoded)}
    if announced != "":
        headers["x-amz-trailer"] = announced or name
    return signed(ember, "PUT", "/sums/trailer", "s3", body=body, headers=headers, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")


@pytest.mark.parametrize("kind", KINDS)
def test_a_checksum_in_the_trailer(ember, s3, kind):
    status, headers, _ = trailing(ember, kind)
    assert status == 200 and headers["x-amz-checksum-" + kind.lower()] == checksum(kind)
    assert s3.get_object(Bucket="sums", Key="trailer")["Body"].read() == DATA
    status, _, answer = trailing(ember, kind, value=checksum(kind, b"other"))
    assert (status, *code_and_text(answer)) == (400, "BadDigest", "The %s you specified did not match the calculated checksum." % kind)


@pytest.mark.parametrize("more, status, code", [
    ({"trailer": "x-amz-checksum-sha1"}, 400, "MalformedTrailerError"),
    ({"trailer": "x-other"}, 400, "MalformedTrailerError"),
    ({"announced": ""}, 400, "MalformedTrailerError"),
    ({"announced": "x-amz-checksum-sha512"}, 400, "InvalidRequest"),
    ({"announced": "x-amz-checksum-xxhash64"}, 400, "InvalidRequest"),
    ({"announced": "x-amz-meta-a"}, 400, "InvalidRequest"),
    ({"value": "AAA="}, 400, "InvalidRequest"),
    ({"decoded": 6}, 400, "IncompleteBody"),
    ({"decoded": 4}, 400, "IncompleteBody"),
    ({"tail": b"\r\nmore"}, 400, "MalformedTrailerError"),
])
def test_broken_trailers(ember, s3, more, status, code):
    s3.delete_object(Bucket="sums", Key="trailer")
    got, _, answer = trailing(ember, "CRC32", **more)
    assert (got, code_and_text(answer)[0]) == (status, code)
    assert "Contents" not in s3.list_objects_v2(Bucket="sums", Prefix="trailer")


@pytest.mark.parametrize("name", ["x-amz-checksum-sha512", "x-amz-checksum-md5", "x-amz-checksum-xxhash64", "x-amz-checksum-xxhash3", "x-amz-checksum-xxhash128"])
def test_other_algorithms_are_refused(ember, s3, name):
    status, _, answer = signed(ember, "PUT", "/sums/wrong", "s3", body=DATA, headers={name: "AAAA"})
    assert (status, *code_and_text(answer)) == (400, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.")
    status, _, answer = signed(ember, "PUT", "/sums/wrong", "s3", body=DATA, headers={"x-amz-sdk-checksum-algorithm": name[15:].upper()})
    assert (status, code_and_text(answer)[0]) == (400, "InvalidRequest") and b"unsupported" in answer
    assert "Contents" not in s3.list_objects_v2(Bucket="sums", Prefix="wrong")


def test_announced_and_doubled_checksums(ember, s3):
    status, _, answer = signed(ember, "PUT", "/sums/wrong", "s3", body=DATA, headers={"x-amz-sdk-checksum-algorithm": "CRC32"})
    assert (status, code_and_text(answer)[1]) == (400, "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
    status, _, answer = signed(ember, "PUT", "/sums/wrong", "s3", body=DATA, headers={"x-amz-checksum-crc32": checksum("CRC32"), "x-amz-checksum-sha1": checksum("SHA1")})
    assert (status, code_and_text(answer)[1]) == (400, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")


def test_content_md5(ember, s3):
    good, other = (base64.b64encode(hashlib.md5(data).digest()).decode() for data in (DATA, b"other"))
    assert signed(ember, "PUT", "/sums/md5", "s3", body=DATA, headers={"content-md5": good})[0] == 200
    status, _, answer = signed(ember, "PUT", "/sums/wrong", "s3", body=DATA, headers={"content-md5": other})
    assert (status, *code_and_text(answer)) == (400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    assert ("<ExpectedDigest>%s</ExpectedDigest><CalculatedDigest>%s</CalculatedDigest>" % (other, good)).encode() in answer
    status, _, answer = signed(ember, "PUT", "/sums/wrong", "s3", body=DATA, headers={"content-md5": "x"})
    assert (status, *code_and_text(answer)) == (400, "InvalidDigest", "The Content-MD5 you specified was invalid.")


def test_without_a_checksum_s3_keeps_its_own(ember, s3):
    signed(ember, "PUT", "/sums/own", "s3", body=DATA)
    got = s3.head_object(Bucket="sums", Key="own", ChecksumMode="ENABLED")
    assert (got["ChecksumCRC64NVME"], got["ChecksumType"]) == (checksum("CRC64NVME"), "FULL_OBJECT")


# ---- uploads in parts ----

PARTS = [b"a" * (5 << 20), b"bcd" * 1000]


def upload(s3, kind, type_):
    """Parts that are there; what CompleteMultipartUpload needs."""
    made = s3.create_multipart_upload(Bucket="sums", Key="parts", ChecksumAlgorithm=kind, ChecksumType=type_)
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == (kind, type_)
    listed = []
    for i, data in enumerate(PARTS, 1):
        sent = zlib.crc32(data) if kind == "CRC32" else None
        value = base64.b64encode(struct.pack(">I", sent)).decode() if kind == "CRC32" else None
        part = s3.upload_part(Bucket="sums", Key="parts", UploadId=made["UploadId"], PartNumber=i, Body=data, ChecksumAlgorithm=kind)
        assert value is None or part["Checksum" + kind] == value
        listed.append({"PartNumber": i, "ETag": part["ETag"], "Checksum" + kind: part["Checksum" + kind]})
    return dict(Bucket="sums", Key="parts", UploadId=made["UploadId"], MultipartUpload={"Parts": listed})


def plain_client(ember):
    return ember.client("s3", config=botocore.config.Config(request_checksum_calculation="when_required", retries={"total_max_attempts": 1}))


@pytest.mark.parametrize("kind", ["CRC32", "SHA1", "SHA256"])
def test_composite_checksums(ember, s3, kind):
    arguments, name = upload(s3, kind, "COMPOSITE"), "Checksum" + kind
    digests = b"".join(base64.b64decode(part[name]) for part in arguments["MultipartUpload"]["Parts"])
    expected = "%s-2" % base64.b64encode(raw(kind, digests)).decode()
    with pytest.raises(ClientError) as e:
        s3.complete_multipart_upload(**arguments, **{name: checksum(kind)})
    assert e.value.response["Error"]["Code"] == "BadDigest"
    with pytest.raises(ClientError) as e:
        s3.complete_multipart_upload(**arguments, ChecksumType="FULL_OBJECT")
    assert e.value.response["Error"]["Message"] == (
        "The upload was created using the COMPOSITE checksum mode. The complete request must use the same checksum mode.")
    done = s3.complete_multipart_upload(**arguments, ChecksumType="COMPOSITE", **{name: expected})
    assert (done[name], done["ChecksumType"]) == (expected, "COMPOSITE")
    got = s3.head_object(Bucket="sums", Key="parts", ChecksumMode="ENABLED")
    assert (got[name], got["ChecksumType"]) == (expected, "COMPOSITE")
    assert s3.get_object(Bucket="sums", Key="parts", ChecksumMode="ENABLED")["Body"].read() == b"".join(PARTS)


@pytest.mark.parametrize("kind", ["CRC32", "CRC32C", "CRC64NVME"])
def test_full_object_checksums(ember, s3, kind):
    if kind == "CRC32":
        arguments, expected = upload(s3, kind, "FULL_OBJECT"), base64.b64encode(struct.pack(">I", zlib.crc32(b"".join(PARTS)))).decode()
    else: # botocore has no such algorithm without its C library: the parts' values are computed here
        made = s3.create_multipart_upload(Bucket="sums", Key="parts", ChecksumAlgorithm=kind, ChecksumType="FULL_OBJECT")
        client, data, name = plain_client(ember), b"one short part", "Checksum" + kind
        part = client.upload_part(Bucket="sums", Key="parts", UploadId=made["UploadId"], PartNumber=1, Body=data, **{name: checksum(kind, data)})
        arguments = dict(Bucket="sums", Key="parts", UploadId=made["UploadId"], MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        expected = checksum(kind, data)
    name = "Checksum" + kind
    with pytest.raises(ClientError) as e:
        s3.complete_multipart_upload(**arguments, **{name: checksum(kind, b"other")})
    assert (e.value.response["Error"]["Code"], e.value.response["Error"]["Message"]) == (
        "BadDigest", "The %s you specified did not match the calculated checksum." % kind)
    with pytest.raises(ClientError) as e:
        s3.complete_multipart_upload(**arguments, ChecksumSHA1=checksum("SHA1"))
    assert e.value.response["Error"]["Code"] == "InvalidRequest"
    done = s3.complete_multipart_upload(**arguments, ChecksumType="FULL_OBJECT", **{name: expected})
    assert (done[name], done["ChecksumType"]) == (expected, "FULL_OBJECT")
    got = s3.get_object(Bucket="sums", Key="parts", ChecksumMode="ENABLED")
    got["Body"].read() # botocore compares
    assert (got[name], got["ChecksumType"]) == (expected, "FULL_OBJECT")


@pytest.mark.parametrize("kind, type_", [("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")])
def test_types_that_an_algorithm_does_not_have(s3, kind, type_):
    with pytest.raises(ClientError) as e:
        s3.create_multipart_upload(Bucket="sums", Key="parts", ChecksumAlgorithm=kind, ChecksumType=type_)
    assert e.value.response["Error"]["Code"] == "InvalidRequest"


def test_parts_of_another_algorithm(ember, s3):
    made = s3.create_multipart_upload(Bucket="sums", Key="parts", ChecksumAlgorithm="SHA1")
    with pytest.raises(ClientError) as e:
        s3.upload_part(Bucket="sums", Key="parts", UploadId=made["UploadId"], PartNumber=1, Body=DATA, ChecksumCRC32=checksum("CRC32"))
    assert e.value.response["Error"]["Message"] == "Checksum Type mismatch occurred, expected checksum Type: sha1, actual checksum Type: crc32"
    part = s3.upload_part(Bucket="sums", Key="parts", UploadId=made["UploadId"], PartNumber=1, Body=DATA, ChecksumSHA1=checksum("SHA1"))
    with pytest.raises(ClientError) as e:
        s3.complete_multipart_upload(Bucket="sums", Key="parts", UploadId=made["UploadId"], MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert e.value.response["Error"]["Message"] == ("The upload was created using a sha1 checksum. The complete request must include the checksum for each "
                                                    "part. It was missing for part 1 in the request.")
