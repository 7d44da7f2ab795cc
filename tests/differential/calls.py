"""Calls for SDKs to sign: operation, members and manner, made at random from AWS's own models. A call is a plain JSON object, so
that the SDKs for Go and JavaScript are told the same as botocore; {"$bytes": base64}, {"$fill": [byte, count]} and
{"$time": seconds} stand for what JSON has no form for.

    calls.py SEED COUNT      prints COUNT calls, one a line: input of go/ and js/
"""
import base64, json, random, sys

import botocore.session

KEY_ID, SECRET = "AKIADIFFERENTIAL0001", "differential/secret+of/nobody0123456789A"
SESSION_ID, SESSION_SECRET = "ASIADIFFERENTIAL0001", "differential/secret+of/a+session01234567"
TOKEN = "IQoJb3JpZ2luX2VjE/session+token//of=nobody=" + "abcdefgh" * 40 + "=="
ACCOUNT = "111122223333"

# What is served, and some of what is not: a signature is looked at before anything is said about the operation.
SERVED = {
    "emr-containers": ["CreateVirtualCluster", "DescribeVirtualCluster", "ListVirtualClusters", "UpdateVirtualCluster", "DeleteVirtualCluster",
                       "StartJobRun", "DescribeJobRun", "ListJobRuns", "CancelJobRun", "CreateJobTemplate", "DescribeJobTemplate", "ListJobTemplates",
                       "DeleteJobTemplate", "CreateSecurityConfiguration", "DescribeSecurityConfiguration", "ListSecurityConfigurations",
                       "DeleteSecurityConfiguration", "TagResource", "UntagResource", "ListTagsForResource"],
    "eks": ["DescribeCluster", "ListClusters"],
    "logs": ["CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups", "CreateLogStream", "DeleteLogStream", "DescribeLogStreams",
             "PutLogEvents", "GetLogEvents", "FilterLogEvents", "PutRetentionPolicy", "DeleteRetentionPolicy"],
    "sts": ["GetCallerIdentity"],
    "s3": ["ListBuckets", "CreateBucket", "HeadBucket", "DeleteBucket", "GetBucketLocation", "PutObject", "GetObject", "HeadObject",
           "DeleteObject", "DeleteObjects", "CopyObject", "ListObjectsV2", "ListObjects", "CreateMultipartUpload", "UploadPart",
           "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts", "ListMultipartUploads"],
}
OTHERS = {
    "emr-containers": ["CreateManagedEndpoint", "DescribeManagedEndpoint", "ListManagedEndpoints", "DeleteManagedEndpoint"],
    "eks": ["CreateCluster", "TagResource", "ListTagsForResource", "DescribeNodegroup", "ListUpdates"],
    "logs": ["TagResource", "StartQuery", "PutMetricFilter", "GetLogRecord"],
    "sts": ["AssumeRole", "GetSessionToken", "GetAccessKeyInfo", "DecodeAuthorizationMessage"],
    "s3": ["PutBucketTagging", "GetBucketTagging", "PutObjectTagging", "GetObjectAcl", "PutBucketPolicy", "ListObjectVersions"],
}
WEIGHTS = {"s3": 50, "emr-containers": 30, "logs": 14, "sts": 8, "eks": 6}
STREAMED = {"PutObject", "UploadPart"}

TEXTS = ["a", "name", "0", "a b", " a", "a ", "a  b", "a+b", "a%b", "100%", "%41", "%2F", "a%20b", "a&b=c", "a=b", "a?b", "a#b", "a;b", "a,b", "a:b", "a@b",
         "a'b", 'a"b', "a(b)c", "a*b", "a!b", "$a", "~a_b-c.d", "a\\b", "[a]", "{a}", "<a>", "a|b", "a^b", "a`b", "ž", "žluťoučký kůň", "日本語", "🎉", "e\u0301",
         "a/b", "/a", "a/", "a//b", "//", ".", "..", "...", "a/./b", "a/../b", "../a", "./a", "a/..", "arn:aws:s3:::b/k", "\u00e9\u20ac", "a\u00a0b"]
KEYS = TEXTS + ["folder/", "folder/file.txt", "a\tb", "a\nb", "a\r\nb", "\x01", "\x7f", "x" * 1024, "日" * 300, "%" * 200, "a/" * 200, "a b/c+d/e%f/ž", "C:\\dir\\file",
                "?x-id=GetObject", "key?acl", "key#part", "+", "++", "%2B", "%252F", "=", "&", " ", "  ", "a;b/c:d@e$f,g"]
HEADER_TEXTS = ["a", "a b", "a  b", "a   b   c", "a\tb", "a \t b", "x" * 1000, "a,b", "a, b", '"quoted  text"', "a;b=c", "a:b", "", "0", "%20", "~!@#$%^&*()_+{}|[]", "\u017elu\u0165"]
TYPES = ["text/plain", "application/octet-stream", "text/html; charset=utf-8", "application/json;charset=UTF-8", "x/y;  z=1"]
PLAIN_BUCKETS = ["bucket", "my-bucket", "bucket.with.dots", "abc", "b" * 63, "1-2-3"]


class Calls:
    def __init__(self, seed):
        self.random = random.Random(seed)
        session = botocore.session.Session()
        self.models = {name: session.get_service_model(name) for name in SERVED}

    def text(self):
        return "".join(self.random.choice(TEXTS) for _ in range(self.random.choice([1, 1, 1, 2, 3])))

    def bytes(self, most=300):
        size = self.random.choice([0, 1, 7, 64, self.random.randrange(most)])
        return {"$bytes": base64.b64encode(self.random.randbytes(size)).decode()}

    def stream(self):
        pick = self.random.random()
        if pick < 0.85:
            return self.bytes(3000)
        return {"$fill": [self.random.randrange(97, 122), self.random.choice([8191, 8192, 65536, 65537, 200000, 1048576 if pick > 0.97 else 4096])]}

    def labelled(self, shape, name):
        """What stands in a path must not be empty."""
        if name == "Bucket":
            return self.random.choice(PLAIN_BUCKETS)
        if name == "Key":
            return self.random.choice(KEYS)
        if "arn" in name.lower():
            return "arn:aws:emr-containers:us-east-1:%s:/%s/%s" % (ACCOUNT, self.random.choice(["virtualclusters", "jobtemplates", "securityconfigurations"]),
                                                                   self.random.choice(["abc", "a b", "ž", "0a1b2c3d"]))
        return self.random.choice([self.text(), "0000000abc1defgh2", "..", "a/../b", "%2e%2e"])

    def string(self, shape, name, in_header):
        if shape.enum:
            return self.random.choice(shape.enum)
        if name in ("CopySource",):
            return self.random.choice(["bucket/key", "bucket/a%20b", "/bucket/a/b/c", "bucket/k%C5%BE?versionId=null"])
        if name in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
            return ACCOUNT
        if name == "ContentType":
            return self.random.choice(TYPES)
        if in_header:
            return self.random.choice([t for t in HEADER_TEXTS if t])
        text = self.text()
        least = shape.metadata.get("min", 0)
        return text + "x" * max(0, least - len(text))

    def value(self, shape, name="", in_header=False, depth=0):
        kind, r = shape.type_name, self.random
        if kind == "string":
            return self.string(shape, name, in_header)
        if kind in ("integer", "long"):
            most = min(shape.metadata.get("max", 2**31 - 1), 2**31 - 1)
            return r.randint(max(shape.metadata.get("min", 0), 0), most) if r.random() < 0.5 else max(shape.metadata.get("min", 0), 1)
        if kind in ("float", "double"):
            return r.choice([0.5, 1.25, 2.0])
        if kind == "boolean":
            return r.random() < 0.5
        if kind == "timestamp":
            return {"$time": r.randrange(1600000000, 1800000000)}
        if kind == "blob":
            return self.bytes()
        if kind == "list":
            least = shape.metadata.get("min", 0)
            return [self.value(shape.member, name, in_header, depth + 1) for _ in range(max(least, r.choice([0, 1, 1, 2, 3]) if depth < 4 else least))]
        if kind == "map":
            if in_header: # x-amz-meta-*
                return {r.choice(["a", "key", "x-y", "Upper-Case", "n%d" % r.randrange(100)]): r.choice(HEADER_TEXTS) for _ in range(r.randrange(4))}
            return {self.value(shape.key, name, False, depth + 1): self.value(shape.value, name, False, depth + 1) for _ in range(r.choice([0, 1, 2, 3]) if depth < 4 else 0)}
        if kind == "structure":
            return self.structure(shape, depth + 1)
        raise AssertionError(kind)

    def structure(self, shape, depth=0, skip=()):
        r, out = self.random, {}
        if getattr(shape, "is_tagged_union", False):
            name, member = r.choice(list(shape.members.items()))
            return {name: self.value(member, name, depth=depth)}
        for name, member in shape.members.items():
            if name in skip or (name not in shape.required_members and r.random() > (0.35 if depth < 4 else 0)):
                continue
            location = member.serialization.get("location")
            out[name] = self.labelled(member, name) if location == "uri" else self.value(member, name, location in ("header", "headers"), depth)
        return out

    def params(self, service, operation):
        shape = self.models[service].operation_model(operation).input_shape
        if shape is None:
            return {}
        # Left out: what SDKs refuse at random values, compute themselves or fold into others.
        skip = {n for n in shape.members if n.startswith(("Checksum", "SSECustomer", "CopySourceSSE", "SSEKMS", "ContentMD5", "ContentLength", "MFA"))
                or n in ("Expires", "RequestPayer", "ServerSideEncryption", "BucketKeyEnabled", "ObjectLockMode", "ObjectLockRetainUntilDate",
                         "ObjectLockLegalHoldStatus", "WriteOffsetBytes", "ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")}
        params = self.structure(shape, skip=skip - set(shape.required_members))
        if operation in STREAMED:
            params["Body"] = self.stream()
        if service == "s3" and operation in ("PutObject", "CreateMultipartUpload", "CopyObject") and self.random.random() < 0.6:
            params["Metadata"] = self.value(shape.members["Metadata"], in_header=True)
        if operation in STREAMED | {"DeleteObjects"} and self.random.random() < 0.4:
            params["ChecksumAlgorithm"] = self.random.choice(["CRC32", "SHA1", "SHA256", "CRC32C"])
        if operation == "PutLogEvents":
            params["logEvents"] = [{"timestamp": 1700000000000 + i, "message": self.text()} for i in range(self.random.choice([1, 2, 30]))]
        return params

    def mode(self, service, operation):
        r, tls = self.random, self.random.random() < 0.5
        session = service in ("s3", "logs", "sts") and r.random() < 0.3 # runs may use no other
        mode = {"key_id": SESSION_ID if session else KEY_ID, "secret": SESSION_SECRET if session else SECRET, "token": TOKEN if session else "",
                "virtual": False, "presign": 0, "unsigned": False, "checksum": ""}
        mode["endpoint"] = ("https://" if tls else "http://") + r.choice(["127.0.0.1:4567", "localhost:4567", "ember.example", "ember.example:8443"])
        if service == "s3":
            mode["virtual"] = r.random() < 0.3
            if mode["virtual"]:
                mode["endpoint"] = ("https://" if tls else "http://") + r.choice(["s3.us-east-1.amazonaws.com", "s3.localhost:4567", "s3.ember.example:8443"])
            if operation in ("GetObject", "PutObject", "HeadObject", "UploadPart") and r.random() < 0.2:
                mode["presign"] = r.choice([900, 3600, 604800])
            mode["unsigned"] = not mode["presign"] and operation in STREAMED and r.random() < 0.15
            mode["checksum"] = "when_required" if r.random() < 0.15 else ""
        elif operation == "GetCallerIdentity" and r.random() < 0.3:
            mode["presign"] = 60
        return mode

    def one(self, number):
        service = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        operation = self.random.choice(SERVED[service] if self.random.random() < 0.85 else OTHERS[service])
        if service == "s3" and self.random.random() < 0.3:
            operation = self.random.choice(["PutObject", "UploadPart", "GetObject"])
        return {"id": number, "service": service, "operation": operation, "params": self.params(service, operation), "mode": self.mode(service, operation)}

    def many(self, count):
        return [self.one(number) for number in range(count)]


def bytes_of(value):
    return base64.b64decode(value["$bytes"]) if "$bytes" in value else bytes([value["$fill"][0]]) * value["$fill"][1]


if __name__ == "__main__":
    for call in Calls(int(sys.argv[1])).many(int(sys.argv[2])):
        print(json.dumps(call, ensure_ascii=False, separators=(",", ":")))
