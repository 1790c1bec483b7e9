"""The password of a document waits with its job, over the death of the server, and is nowhere to be read."""

from collections.abc import Callable

import pytest
from support import documents
from support.exactly_once import rows
from support.server import LumiServer

pytestmark = pytest.mark.acceptance

PASSWORD = "Zinnober-Quastenflosser-41"


def holding(server: LumiServer) -> list[str]:
    """Files of the data directory, and the log, that hold the password."""
    files = [path for path in server.data_dir.rglob("*") if path.is_file()]
    return [path.name for path in [*files, server.log] if PASSWORD.encode() in path.read_bytes()]


def test_a_password_survives_a_kill_sealed_and_goes_with_its_job(serve: Callable[..., LumiServer]) -> None:
    server = serve(log_level="debug")
    with server.client() as api:
        kb_id = api.create_kb("Vault")
        data = documents.make_pdf(["The vault opens at nine."] * 40, encrypted=True, password=PASSWORD)
        accepted = api.upload(kb_id, "vault.pdf", data, password=PASSWORD)
    server.kill()
    (job,) = rows(server, "jobs")
    if job["status"] in {"queued", "processing"}:
        assert job["sealed"]
    assert holding(server) == []
    server.start()
    with server.client() as api:
        document = api.wait_until_ended(accepted["id"])
        assert document["status"] == "READY", document["last_error"]
        other = documents.make_pdf(["Another vault."], encrypted=True)
        failed = api.wait_until_ended(api.upload(kb_id, "other.pdf", other, password=PASSWORD)["id"])
        assert failed["last_error"]["code"] == "ENCRYPTED"
    assert [job["sealed"] for job in rows(server, "jobs")] == [None, None]
    server.stop()
    assert holding(server) == []
