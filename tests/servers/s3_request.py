#!/usr/bin/env python3
"""One signed request to a server of S3, for tests: s3_request.py METHOD URL [BODY].

AWS's keys are in the environment. Shares no code with the program."""
import datetime
import hashlib
import hmac
import os
import sys
import urllib.error
import urllib.parse
import urllib.request


def main():
    method, url = sys.argv[1:3]
    body = sys.argv[3].encode() if len(sys.argv) > 3 else b""
    place = urllib.parse.urlsplit(url)
    now = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    names = "host;x-amz-content-sha256;x-amz-date"
    lines = f"host:{place.netloc}\nx-amz-content-sha256:{digest}\nx-amz-date:{now}\n"
    canonical = f"{method}\n{place.path}\n{place.query}\n{lines}\n{names}\n{digest}"
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    access_key = os.environ["AWS_ACCESS_KEY_ID"]
    headers = {"x-amz-date": now, "x-amz-content-sha256": digest,
               "content-type": "application/octet-stream",
               "authorization": f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, "
               f"SignedHeaders={names}, Signature={signature}"}
    request = urllib.request.Request(url, body or None, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {url}: {error.code} {error.read().decode(errors='replace')}")


main()
