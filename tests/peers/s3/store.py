"""The object store of tests/peers/s3/run.sh, seen by boto3.

    store.py prepare ENDPOINT     makes a user with keys and a bucket, writes an object; prints lines of shell
    store.py bucket ENDPOINT      makes the bucket on a server that checks nothing
    store.py check ENDPOINT       reads what our program wrote; keys come from TW_S3_ACCESS_KEY and TW_S3_SECRET_KEY

The first four calls of `prepare` are made before the server begins to check signatures
(INITIAL_NO_AUTH_ACTION_COUNT=4).
"""
import json
import os
import sys

import boto3
import botocore.exceptions

BUCKET = "tradewind-test"
REGION = "us-east-1"
PATTERN = 31


def client(service, endpoint, access, secret):
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id=access, aws_secret_access_key=secret)


def content(size):
    return bytes((i * PATTERN + i // 977) % 251 for i in range(size))


def prepare(endpoint):
    iam = client("iam", endpoint, "unchecked", "unchecked")
    iam.create_user(UserName="tradewind")
    key = iam.create_access_key(UserName="tradewind")["AccessKey"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="tradewind", PolicyName="s3", PolicyDocument=json.dumps(policy))
    client("s3", endpoint, "unchecked", "unchecked").create_bucket(Bucket=BUCKET)
    try:
        client("s3", endpoint, key["AccessKeyId"], "wrong").list_objects_v2(Bucket=BUCKET)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "SignatureDoesNotMatch", error
    else:
        sys.exit("the server does not check signatures: the test would prove nothing")
    s3 = client("s3", endpoint, key["AccessKeyId"], key["SecretAccessKey"])
    s3.put_object(Bucket=BUCKET, Key="boto3/größe +&.bin", Body=content(300_000))
    print(f"export TW_S3_ENDPOINT={endpoint} TW_S3_ACCESS_KEY={key['AccessKeyId']} TW_S3_SECRET_KEY={key['SecretAccessKey']}")


def bucket(endpoint):
    client("s3", endpoint, "any", "any").create_bucket(Bucket=BUCKET)


def check(endpoint):
    s3 = client("s3", endpoint, os.environ["TW_S3_ACCESS_KEY"], os.environ["TW_S3_SECRET_KEY"])
    body = s3.get_object(Bucket=BUCKET, Key="tradewind/größe +&.bin")["Body"].read()
    assert body == content(9 << 20), "our object differs"
    left = s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    assert not left, f"uploads in parts were left behind: {left}"
    print("store.py: boto3 reads our objects; no upload was left behind")


if __name__ == "__main__":
    {"prepare": prepare, "bucket": bucket, "check": check}[sys.argv[1]](sys.argv[2])
