"""Files that cannot be read end in a named error, while the server serves."""

from collections.abc import Callable

import pytest
from support import documents
from support.locked import lock_office
from support.server import LumiClient, LumiServer, poll

pytestmark = pytest.mark.acceptance

ServerFactory = Callable[..., LumiServer]

DOCX = documents.make_docx([("Normal", "Nobody will read this paragraph.")])
PDF = documents.make_pdf(["Nobody will read this page. " * 50] * 3)
# Accepted by their first bytes; the parser finds out.
FAILING = {
    "encrypted.pdf": (documents.make_pdf(["Secret."], encrypted=True), {"ENCRYPTED"}),
    "encrypted.docx": (lock_office(DOCX), {"ENCRYPTED"}),
    "half-encrypted.docx": (lock_office(DOCX)[:9000], {"CORRUPTED"}),
    "truncated.pdf": (PDF[: len(PDF) // 2], {"CORRUPTED"}),
    "truncated.docx": (DOCX[: len(DOCX) // 2], {"CORRUPTED"}),
    "bomb.docx": (documents.make_zip_bomb(DOCX, megabytes=512), {"TOO_LARGE"}),
    "bomb.pdf": (documents.make_flate_bomb(megabytes=40, pages=20), {"TIMED_OUT", "TOO_LARGE", "OUT_OF_MEMORY"}),
}
# Refused by their first bytes.
REFUSED = {
    "empty.pdf": (b"", 400, "EMPTY_FILE"),
    "text.pdf": (b"This is plain text.", 400, "MIME_TYPE_MISMATCH"),
    "page.docx": (PDF, 400, "MIME_TYPE_MISMATCH"),
    "letter.doc": (documents.make_ole("WordDocument"), 415, "UNSUPPORTED_FILE_TYPE"),
    "binary.txt": (bytes(range(256)) * 64, 400, "MIME_TYPE_MISMATCH"),
}


@pytest.mark.timeout(180)
def test_each_bad_file_ends_in_its_own_error_and_harms_no_other(serve: ServerFactory) -> None:
    server = serve(parse_seconds_max=10, parse_text_chars_max=2_000_000)
    with server.client() as api, LumiClient(server.url, prefix="") as root:
        kb_id = api.create_kb("Bad")
        accepted = {name: api.upload(kb_id, name, data)["id"] for name, (data, _) in FAILING.items()}
        good = api.upload(kb_id, "good.txt", b"This file is as good as any.")["id"]
        for name, (data, status, code) in REFUSED.items():
            response = api.post(f"/knowledge-bases/{kb_id}/documents", files={"file": (name, data)})
            assert (response.status_code, response.json()["error"]["code"]) == (status, code), name

        def all_ended() -> bool:
            assert root.get("/health").json()["status"] == "healthy"
            return all(api.document(one)["status"] in {"READY", "FAILED"} for one in [*accepted.values(), good])

        poll(all_ended, "the end of all")
        for name, document_id in accepted.items():
            document = api.document(document_id)
            assert document["status"] == "FAILED", name
            assert document["last_error"]["code"] in FAILING[name][1], (name, document["last_error"])
            assert document["last_error"]["message"].endswith(".")
            assert "Traceback" not in document["last_error"]["message"]
        assert api.document(good)["status"] == "READY"
        assert api.search("as good as any")[0]["document_id"] == good


def test_what_is_refused_leaves_no_bytes_behind(serve: ServerFactory) -> None:
    server = serve(upload_bytes_max=100_000, undo_seconds=0)
    with server.client() as api:
        kb_id = api.create_kb("Tidy")
        path = f"/knowledge-bases/{kb_id}/documents"
        for name, (data, _, _) in REFUSED.items():
            api.post(path, files={"file": (name, data)})
        assert api.post(path, files={"file": ("big.txt", b"too large " * 20_000)}).status_code == 413
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nWhole file %d.\r\n--b\r\n'
        field = b'Content-Disposition: form-data; name="tags"\r\n\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        for at, rest in enumerate((b"cut off", b"t" * 70_000 + b"\r\n--b--\r\n", b"[\r\n--b--\r\n")):
            assert api.post(path, content=head % at + field + rest, headers=headers).status_code in {400, 422}
        deleted = api.upload_ready(kb_id, "deleted.txt", b"A document that is deleted is erased.")
        api.delete(f"/documents/{deleted['id']}")
        poll(lambda: files_of(server) == [], "an empty store")


def files_of(server: LumiServer) -> list[str]:
    directories = [server.data_dir / name for name in ("blobs", "incoming")]
    return [str(path) for directory in directories for path in directory.rglob("*") if path.is_file()]
