"""The main job: upload, READY, search, ask, delete."""

from support import documents
from support.server import LumiClient

QUESTION = "How many beehives stand on the roof of the opera?"
TEXT = "Nine beehives stand on the roof of the opera. The honey is sold in the foyer."


def check_main_job(api: LumiClient, kb_name: str) -> None:
    """All of it, with the citation compared with the text."""
    kb_id = api.create_kb(kb_name)
    opera = api.upload_ready(kb_id, "opera.txt", TEXT.encode())
    report = api.upload_ready(kb_id, "report.pdf", documents.make_pdf(["The theatre keeps no bees.", "Page two."]))
    assert api.search(QUESTION, kb_ids=[kb_id])[0]["document_id"] == opera["id"]
    answer = api.ask(QUESTION, kb_ids=[kb_id])
    assert "Nine beehives" in answer["answer"]
    for citation in answer["citations"]:
        path = f"/knowledge-bases/{kb_id}/documents/{citation['document_id']}/content"
        part = api.get(path, params={"start": citation["char_start"], "end": citation["char_end"]}).json()
        assert part["text"] == citation["quoted_text"]
    download = api.get(f"/knowledge-bases/{kb_id}/documents/{opera['id']}/download", headers={"Range": "bytes=5-12"})
    assert download.content == TEXT.encode()[5:13]
    assert api.delete(f"/documents/{opera['id']}").status_code == 204
    assert {hit["document_id"] for hit in api.search(QUESTION, kb_ids=[kb_id])} == {report["id"]}


def check_survives(api: LumiClient, kb_name: str) -> None:
    """After a restart on the same record and blobs, what `check_main_job` left is still there."""
    kb = api.get(f"/collections/{kb_name}").json()
    assert kb["document_count"] == 1
    (document,) = api.get(f"/knowledge-bases/{kb['id']}/documents").json()["data"]
    assert document["status"] == "READY"
    download = api.get(f"/knowledge-bases/{kb['id']}/documents/{document['id']}/download")
    assert len(download.content) == document["file_size_bytes"]
    assert api.search("theatre bees", kb_ids=[kb["id"]])[0]["document_id"] == document["id"]
