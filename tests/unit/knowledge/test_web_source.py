"""Fetching from addresses: what is fetched, and what never is."""

import asyncio
import socket
from collections.abc import Generator

import pytest
from support.website import Page, Site, website

from lumikb.kit.errors import TimedOutError
from lumikb.knowledge import web_source
from lumikb.knowledge.errors import FetchFailedError, UrlRefusedError
from lumikb.knowledge.web_source import Resolve, Validators, WebSource

SECONDS_MAX = 5.0
NOTHING_KNOWN = Validators()


@pytest.fixture
def site() -> Generator[Site]:
    with website() as running:
        yield running


def resolver(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


def fetched(source: WebSource, url: str, known: Validators = NOTHING_KNOWN) -> tuple[str, bytes, bool]:
    async def fetch() -> tuple[str, bytes, bool]:
        async with source.fetch(url, known) as found:
            return found.filename, b"".join([piece async for piece in found.content]), found.unchanged

    return asyncio.run(fetch())


INSIDE = WebSource(seconds_max=SECONDS_MAX, allow_private=True)


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/report.pdf", {"Content-Type": "application/pdf"}, "report.pdf"),
        ("/guide/", {"Content-Type": "text/html; charset=utf-8"}, "guide.html"),
        ("/", {"Content-Type": "text/html"}, "127.0.0.1.html"),
        ("/get?id=7", {"Content-Disposition": 'attachment; filename="The plan.docx"'}, "The plan.docx"),
        ("/get", {"Content-Disposition": "attachment; filename*=UTF-8''Pl%C3%A4ne.txt"}, "Pläne.txt"),
        ("/a%20b.md", {}, "a b.md"),
    ],
)
def test_a_document_is_fetched_under_its_name(site: Site, path: str, headers: dict[str, str], name: str) -> None:
    site.pages[path] = Page(b"content", headers=headers)
    assert fetched(INSIDE, site.url + path) == (name, b"content", False)


def test_a_redirect_is_followed_and_a_circle_is_left(site: Site) -> None:
    site.pages["/old"] = Page(status=301, headers={"Location": "/new.txt"})
    site.pages["/new.txt"] = Page(b"moved")
    assert fetched(INSIDE, site.url + "/old#part") == ("new.txt", b"moved", False)
    site.pages["/round"] = Page(status=302, headers={"Location": "/round"})
    with pytest.raises(FetchFailedError, match="redirects"):
        fetched(INSIDE, site.url + "/round")


def test_what_is_still_the_same_is_not_sent_again(site: Site) -> None:
    site.pages["/a.txt"] = Page(b"first", headers={"ETag": '"1"'})
    known = Validators(etag='"1"')
    assert fetched(INSIDE, site.url + "/a.txt", known)[1:] == (b"", True)
    site.pages["/a.txt"] = Page(b"second", headers={"ETag": '"2"'})
    assert fetched(INSIDE, site.url + "/a.txt", known)[1:] == (b"second", False)


@pytest.mark.parametrize("page", [Page(status=404), Page(status=304), Page(b"x", headers={"Content-Encoding": "gzip"})])
def test_what_is_no_document_is_refused(site: Site, page: Page) -> None:
    site.pages["/x"] = page
    with pytest.raises(FetchFailedError):
        fetched(INSIDE, site.url + "/x")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/a.txt",
        "/etc/passwd",
        "http://",
        "http://user:secret@example.org/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://[::1",
        "http://example.org/a b",
        "http://①②⑦.0.0.1/",
        "http://bücher.example/ä",
        "http://example.org/\r\nHost: x",
        "http://example.org/" + "a" * 2_000,
        "",
    ],
)
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        fetched(INSIDE, url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_the_own_network_is_out_of_reach(site: Site, address: str) -> None:
    site.pages["/a.txt"] = Page(b"secret")
    source = WebSource(seconds_max=SECONDS_MAX, allow_private=False, resolve=resolver("93.184.216.34", address))
    with pytest.raises(UrlRefusedError):
        fetched(source, site.url.replace("127.0.0.1", "public.example") + "/a.txt")
    assert site.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]"])
def test_no_spelling_of_this_machine_is_fetched(site: Site, host: str) -> None:
    source = WebSource(seconds_max=SECONDS_MAX, allow_private=False)
    with pytest.raises((UrlRefusedError, FetchFailedError)):
        fetched(source, site.url.replace("127.0.0.1", host) + "/a.txt")
    assert site.seen == []


def test_a_redirect_into_the_own_network_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages["/a"] = Page(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"})
    monkeypatch.setattr(web_source, "_is_public", lambda address: address == "127.0.0.1")
    source = WebSource(seconds_max=SECONDS_MAX, allow_private=False)
    with pytest.raises(UrlRefusedError):
        fetched(source, site.url + "/a")
    assert site.seen == ["/a"]


def test_a_host_that_is_silent_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = WebSource(seconds_max=0.3, allow_private=True)
        with pytest.raises(TimedOutError):
            fetched(source, f"http://127.0.0.1:{silent.getsockname()[1]}/")


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/", "http://127.0.0.1:1/"])
def test_a_host_that_is_nowhere_is_told(url: str) -> None:
    with pytest.raises(FetchFailedError):
        fetched(INSIDE, url)
