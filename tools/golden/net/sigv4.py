#!/usr/bin/env python3
"""Signatures of requests by botocore, AWS's own Python client: sigv4.py > tests/golden/net/sigv4.json

Needs botocore (PyPI); the version that was used stands in the file. Keys are made up.
"""
import datetime
import hashlib
import json
import sys

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEYS = ("TESTACCESSKEY", "made/up+secret/key=for&tests", None)
TEMPORARY = (KEYS[0], KEYS[1], "session//token+with=signs" * 8)
PATHS = "AZaz09-._~ %&=+,;:@!$'()*[]{}<>^`|#?é😀\""


def escaped(text, keep="/"):
    safe = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" + keep)
    return "".join(chr(b) if chr(b) in safe else f"%{b:02X}" for b in text.encode())


CASES = [
    ("plain", "GET", "https://bucket.s3.amazonaws.com/key", {}, b"", KEYS, "us-east-1", "s3", 1369353600),
    ("port", "GET", "http://127.0.0.1:9000/bucket/a/b", {}, b"", KEYS, "eu-central-1", "s3", 1700000000),
    ("default port", "GET", "https://host:443/bucket/a", {}, b"", KEYS, "eu-central-1", "s3", 1700000000),
    ("every character", "PUT", "http://h:1/b/" + escaped(PATHS), {"Content-Type": "text/plain"}, b"body", KEYS, "r", "s3", 0),
    ("slashes and dots", "GET", "http://h/b//a/../c/./d/", {}, b"", KEYS, "r", "s3", 86399),
    ("query", "GET", "http://h/b?prefix=" + escaped("a b/é&=", "") + "&list-type=2&continuation-token=" + escaped("1/x+y==", ""), {}, b"",
     KEYS, "us-west-2", "s3", 1700000000),
    ("query without values", "POST", "http://h/b/k?uploads=", {}, b"", KEYS, "r", "s3", 1700000000),
    ("query of one name", "GET", "http://h/b/k?b=2&a=2&a=1&a-b=3&A=4", {}, b"", KEYS, "r", "s3", 1700000000),
    ("part", "PUT", "http://h:8080/b/k?partNumber=2&uploadId=abc.DEF_1~2", {}, bytes(range(256)), KEYS, "r", "s3", 4102444799),
    ("session", "DELETE", "https://b.s3.eu-west-1.amazonaws.com/k", {}, b"", TEMPORARY, "eu-west-1", "s3", 1700000000),
    ("headers", "PUT", "http://h/b/k", {"X-Amz-Expected-Bucket-Owner": "123456789012", "Range": "bytes=0-9", "x-amz-meta-note": "  two   blanks  "},
     b"x", KEYS, "r", "s3", 1700000000),
    ("another service", "GET", "https://example.amazonaws.com/", {}, b"", KEYS, "us-east-1", "service", 1440938160),
    ("another service's path", "POST", "https://example.amazonaws.com/" + escaped("a b/é"), {"Content-Type": "application/json"}, b"{}", KEYS,
     "us-east-1", "service", 1440938160),
]


def sign(name, method, url, headers, body, keys, region, service, seconds):
    now = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).replace(tzinfo=None)
    botocore.auth.get_current_datetime = lambda *_, **__: now
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    request.context["payload_signing_enabled"] = True
    auth = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer = auth(Credentials(*keys), service, region)
    signer._should_sha256_sign_payload = lambda _: True  # also over TLS, as we do
    signer.add_auth(request)
    return {"name": name, "method": method, "url": url, "headers": headers, "access_key": keys[0], "secret_key": keys[1],
            "session_token": keys[2] or "", "region": region, "service": service, "seconds": seconds,
            "payload_sha256": hashlib.sha256(body).hexdigest(), "authorization": request.headers["Authorization"],
            "date": request.headers["X-Amz-Date"]}


json.dump({"generator": "tools/golden/net/sigv4.py", "botocore": botocore.__version__, "python": sys.version.split()[0],
           "cases": [sign(*case) for case in CASES]}, sys.stdout, indent=1)
print()
