"""Signatures are those of Amazon's own client."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lumikb.store.blobs.s3_requests import S3Location, S3Requests

MOMENT = datetime(2013, 5, 24, tzinfo=UTC)


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:9000"])
@pytest.mark.parametrize("path", ["uploads/plain", "odd name+&=\u00fc~/x"])
def test_an_address_is_signed_as_amazons_client_signs_it(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, path: str
) -> None:
    keys = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    location = S3Location("bucket", "kb/a", endpoint, "eu-central-1", *keys)
    query, headers = {"partNumber": "2", "uploadId": "a/b+c="}, {"content-length": "5"}
    ours = S3Requests(location).presign("PUT", path, query, headers, seconds=600, moment=MOMENT)

    request = AWSRequest("PUT", ours.partition("?")[0], params=query, headers={"Content-Length": "5"})
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: MOMENT)
    S3SigV4QueryAuth(Credentials(*keys), "s3", "eu-central-1", expires=600).add_auth(request)
    theirs = request.prepare().url
    assert dict(parse_qsl(urlsplit(ours).query)) == dict(parse_qsl(urlsplit(theirs).query))
