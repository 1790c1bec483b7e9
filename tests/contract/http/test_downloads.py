"""Downloads: the bytes, parts of them, and going on with one that broke off."""

import pytest
from support.server import LumiClient

from .conftest import FACTS, Library, assert_error


@pytest.mark.parametrize("name", FACTS)
def test_a_download_gives_the_bytes_that_were_uploaded(api: LumiClient, library: Library, name: str) -> None:
    response = api.get(f"{library.path(name)}/download")
    assert response.status_code == 200
    assert response.content == library.files[name]
    assert response.headers["content-length"] == str(len(library.files[name]))
    assert response.headers["accept-ranges"] == "bytes"
    assert "content-encoding" not in response.headers
    assert response.headers["content-type"] == library.documents[name]["mime_type"]
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["etag"] == f'"{library.documents[name]["sha256"]}"'


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=5-", slice(5, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=0-0", slice(0, 1)),
        ("bytes=5-" + "9" * 5000, slice(5, None)),
    ],
)
def test_a_range_is_part_of_the_file(api: LumiClient, library: Library, header: str, part: slice) -> None:
    whole = library.files["observatory.pdf"]
    response = api.get(f"{library.path('observatory.pdf')}/download", headers={"Range": header})
    assert response.status_code == 206
    assert response.content == whole[part]
    start, stop, _ = part.indices(len(whole))
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    assert response.headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize("header", ["bytes=999999999-", "bytes=-0", "bytes=" + "9" * 5000 + "-"])
def test_a_range_outside_of_the_file_is_refused(api: LumiClient, library: Library, header: str) -> None:
    response = api.get(f"{library.path()}/download", headers={"Range": header})
    assert_error(response, 416, "RANGE_NOT_SATISFIABLE")
    assert response.headers["content-range"] == f"bytes */{len(library.files['lighthouse.txt'])}"


@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "pages=1-2", "nonsense", "bytes=5-2"])
def test_a_range_of_another_kind_gives_the_whole_file(api: LumiClient, library: Library, header: str) -> None:
    response = api.get(f"{library.path()}/download", headers={"Range": header})
    assert response.status_code == 200
    assert response.content == library.files["lighthouse.txt"]


def test_a_broken_download_goes_on_unless_the_file_changed(api: LumiClient, kb_id: str) -> None:
    path = f"/knowledge-bases/{kb_id}/documents/{api.upload_ready(kb_id, 'tide.txt', b'High tide at noon.')['id']}"
    first = api.get(f"{path}/download", headers={"Range": "bytes=0-8"})
    rest = {"Range": "bytes=9-", "If-Range": first.headers["etag"]}
    assert first.content + api.get(f"{path}/download", headers=rest).content == b"High tide at noon."
    for other in ('"other"', f"W/{first.headers['etag']}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        whole = api.get(f"{path}/download", headers=rest | {"If-Range": other})
        assert (whole.status_code, whole.content) == (200, b"High tide at noon.")
    api.post(f"{path}/reupload", files={"file": ("tide.txt", b"High tide at seven in the evening.")})
    api.wait_until_ended(path.rpartition("/")[2])
    changed = api.get(f"{path}/download", headers=rest)
    assert (changed.status_code, changed.content) == (200, b"High tide at seven in the evening.")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', "*"])
def test_a_file_that_the_client_has_is_not_sent_again(
    api: LumiClient, library: Library, method: str, known: str
) -> None:
    path, etag = f"{library.path()}/download", f'"{library.documents["lighthouse.txt"]["sha256"]}"'
    for further in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=999999999-", "If-Range": etag}):
        response = api.request(method, path, headers={"If-None-Match": known.format(etag), **further})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == etag
        assert not {"content-length", "content-type", "content-range"} & set(response.headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_the_client_does_not_have_is_sent(api: LumiClient, library: Library, method: str) -> None:
    response = api.request(method, f"{library.path()}/download", headers={"If-None-Match": '"other", W/"more"'})
    whole = library.files["lighthouse.txt"]
    assert (response.status_code, response.headers["content-length"]) == (200, str(len(whole)))
    assert response.content == (whole if method == "GET" else b"")


def test_head_of_a_download_tells_its_length(api: LumiClient, library: Library) -> None:
    response = api.head(f"{library.path()}/download")
    assert response.status_code == 200
    assert response.headers["content-length"] == str(len(library.files["lighthouse.txt"]))
    assert response.content == b""
    ranged = api.head(f"{library.path()}/download", headers={"Range": "bytes=0-9"})
    assert (ranged.status_code, ranged.headers["content-length"]) == (206, "10")
