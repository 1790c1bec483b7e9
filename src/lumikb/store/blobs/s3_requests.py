"""Requests to S3 that obstore does not know: addresses that others use, and multipart uploads that others fill.

Signed by Signature Version 4 in the query (AWS General Reference, "Authenticating Requests: Using Query Parameters").
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from lumikb.kit import clock
from lumikb.store.blobs.errors import BlobStoreUnavailableError

if TYPE_CHECKING:
    import httpx

# What one signature of our own requests holds for, and how long one may take: the copy of a part takes seconds.
_OWN_SECONDS = 300
_TIMEOUT_SECONDS = 120.0
_PARTS_PAGE = 1000


@dataclass(frozen=True)
class S3Location:
    """Where the blobs lie. Empty `endpoint`: AWS; empty keys: the credentials that the machine has."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class StoredPart:
    """A part that a multipart upload has."""

    number: int
    etag: str
    size_bytes: int


@dataclass(frozen=True)
class OpenMultipart:
    """A multipart upload that was neither completed nor aborted; `path` without the location's prefix."""

    path: str
    upload_id: str
    begun_at: datetime


class NoSuchUploadError(Exception):
    """The server knows no such multipart upload; never leaves this package."""


class S3Requests:
    """Signs with the keys of the location, which must have some. Blocks; paths are below the location's prefix."""

    def __init__(self, location: S3Location) -> None:
        self._location = location
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Drop the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def presign(
        self,
        method: str,
        path: str | None,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        *,
        seconds: int,
        moment: datetime | None = None,
    ) -> str:
        """An address that does this one thing for so many seconds; `headers` (lower case) must be sent as given.

        Without a path it is of the bucket.
        """
        stamp = (moment or clock.now()).strftime("%Y%m%dT%H%M%SZ")
        place = self._location
        endpoint = urlsplit(place.endpoint or f"https://s3.{place.region}.amazonaws.com")
        signed = {"host": endpoint.netloc, **(headers or {})}
        scope = f"{stamp[:8]}/{place.region}/s3/aws4_request"
        arguments = {
            **query,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{place.access_key_id}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(seconds),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        }
        uri = endpoint.path.rstrip("/") + quote(f"/{place.bucket}" + ("" if path is None else f"/{self._key(path)}"))
        encoded = sorted((_encoded(name), _encoded(value)) for name, value in arguments.items())
        line = "&".join(f"{name}={value}" for name, value in encoded)
        lines = [f"{name}:{signed[name].strip()}\n" for name in sorted(signed)]
        request = "\n".join([method, uri, line, "".join(lines), ";".join(sorted(signed)), "UNSIGNED-PAYLOAD"])
        digest = hashlib.sha256(request.encode()).hexdigest()
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, digest])
        key = f"AWS4{place.secret_access_key}".encode()
        for part in (*scope.split("/"), to_sign):
            key = hmac.digest(key, part.encode(), "sha256")
        return f"{endpoint.scheme}://{endpoint.netloc}{uri}?{line}&X-Amz-Signature={key.hex()}"

    def create_multipart(self, path: str) -> str:
        """Begin a multipart upload; gives its id."""
        return _text(self._call("POST", path, {"uploads": ""}), "UploadId")

    def list_parts(self, path: str, upload_id: str) -> list[StoredPart]:
        """The parts that are there, by number; raises `NoSuchUploadError`."""
        found: list[StoredPart] = []
        query = {"uploadId": upload_id, "max-parts": str(_PARTS_PAGE)}
        while True:
            page = self._call("GET", path, query)
            found += [
                StoredPart(int(_text(part, "PartNumber")), _text(part, "ETag"), int(_text(part, "Size")))
                for part in page.iterfind("{*}Part")
            ]
            if _text(page, "IsTruncated") != "true":
                return found
            query |= {"part-number-marker": _text(page, "NextPartNumberMarker")}

    def copy_part(self, source: str, start: int, end: int, path: str, upload_id: str, number: int) -> StoredPart:
        """Make the bytes `[start, end)` of an object a part, within the server."""
        headers = {
            "x-amz-copy-source": quote(f"/{self._location.bucket}/{self._key(source)}"),
            "x-amz-copy-source-range": f"bytes={start}-{end - 1}",
        }
        query = {"partNumber": str(number), "uploadId": upload_id}
        return StoredPart(number, _text(self._call("PUT", path, query, headers), "ETag"), end - start)

    def complete_multipart(self, path: str, upload_id: str, parts: list[StoredPart]) -> None:
        """Make one object of the parts; raises `NoSuchUploadError`."""
        root = ElementTree.Element("CompleteMultipartUpload", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
        for part in parts:
            element = ElementTree.SubElement(root, "Part")
            ElementTree.SubElement(element, "PartNumber").text = str(part.number)
            ElementTree.SubElement(element, "ETag").text = part.etag
        self._call("POST", path, {"uploadId": upload_id}, body=ElementTree.tostring(root))

    def abort_multipart(self, path: str, upload_id: str) -> None:
        """Give up a multipart upload and its parts; one that is gone is no error."""
        try:
            self._call("DELETE", path, {"uploadId": upload_id})
        except NoSuchUploadError:
            return

    def open_multiparts(self, below: str = "") -> Iterator[OpenMultipart]:
        """Multipart uploads to paths that begin so."""
        query = {"uploads": "", "prefix": self._key(below)}
        while True:
            page = self._call("GET", None, query)
            for upload in page.iterfind("{*}Upload"):
                begun_at = datetime.fromisoformat(_text(upload, "Initiated").replace("Z", "+00:00"))
                path = _text(upload, "Key").removeprefix(self._key(""))
                yield OpenMultipart(path, _text(upload, "UploadId"), begun_at)
            if _text(page, "IsTruncated") != "true":
                return
            query |= {"key-marker": _text(page, "NextKeyMarker"), "upload-id-marker": _text(page, "NextUploadIdMarker")}

    def _key(self, path: str) -> str:
        return f"{self._location.prefix}/{path}" if self._location.prefix else path

    def _call(
        self,
        method: str,
        path: str | None,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes = b"",
    ) -> ElementTree.Element:
        """The XML that the server answers; its messages stay out of errors, for they name hosts and keys."""
        import httpx  # with the first upload, not with the start

        if self._client is None:
            self._client = httpx.Client(timeout=_TIMEOUT_SECONDS)
        url = self.presign(method, path, query, headers, seconds=_OWN_SECONDS)
        try:
            answer = self._client.request(method, url, headers=headers, content=body)
        except httpx.HTTPError as exc:
            raise BlobStoreUnavailableError(f"The object store does not answer ({type(exc).__name__}).") from exc
        try:
            # From the operator's own store; expat bounds what entities unfold to.
            root = ElementTree.fromstring(answer.content or b"<Empty/>")  # noqa: S314
        except ElementTree.ParseError as exc:
            raise BlobStoreUnavailableError(f"The object store answered {answer.status_code}, not in XML.") from exc
        # A completion may fail after it has answered 200.
        if answer.is_success and not root.tag.endswith("Error"):
            return root
        code = root.findtext("Code") or ""
        if code == "NoSuchUpload":
            raise NoSuchUploadError
        raise BlobStoreUnavailableError(f"The object store cannot be used ({answer.status_code} {code}).")


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""
