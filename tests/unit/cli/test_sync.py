"""What a mirrored folder and the documents that mirror it differ by."""

from pathlib import Path
from typing import Any

from lumikb.cli.sync import FOLDER, PATH, make_plan
from lumikb.cli.uploads import Upload

ROOT = "/papers"


def document(number: int, path: str, sha256: str) -> dict[str, Any]:
    return {"id": f"d{number}", "sha256": sha256, "status": "READY", "metadata": {FOLDER: ROOT, PATH: path}}


def plan_of(local: dict[str, str], documents: list[dict[str, Any]]) -> Any:
    return make_plan(ROOT, {path: Path(path) for path in local}, local, documents)


def test_what_is_new_changed_moved_gone_and_the_same_is_told_apart() -> None:
    documents = [
        document(1, "same.txt", "s"),
        document(2, "changed.txt", "old"),
        document(3, "old/name.txt", "m"),
        document(4, "gone.txt", "g"),
    ]
    plan = plan_of({"same.txt": "s", "changed.txt": "new", "new/name.txt": "m", "fresh.txt": "f"}, documents)
    assert plan.unchanged == [(documents[0], "same.txt")]
    assert plan.moved == [(documents[2], "new/name.txt")]
    assert plan.gone == [documents[3]]
    assert plan.uploads == [
        Upload(Path("changed.txt"), "changed", "d2"),
        Upload(Path("fresh.txt"), "new", metadata={FOLDER: ROOT, PATH: "fresh.txt"}),
    ]


def test_a_second_document_of_one_file_goes() -> None:
    documents = [document(1, "a.txt", "s"), document(2, "a.txt", "t")]
    plan = plan_of({"a.txt": "s"}, documents)
    assert plan.unchanged == [(documents[0], "a.txt")]
    assert plan.gone == [documents[1]]


def test_a_file_that_became_a_copy_of_another_leaves_one_document() -> None:
    documents = [document(1, "a.txt", "s"), document(2, "b.txt", "t")]
    plan = plan_of({"a.txt": "s", "b.txt": "s"}, documents)
    assert plan.unchanged == [(documents[0], "a.txt")]
    assert plan.gone == [documents[1]]
    assert plan.uploads == []


def test_of_two_copies_of_a_moved_file_one_takes_over() -> None:
    documents = [document(1, "a.txt", "s")]
    plan = plan_of({"b.txt": "s", "c.txt": "s"}, documents)
    assert plan.moved == [(documents[0], "b.txt")]
    assert [upload.file for upload in plan.uploads] == [Path("c.txt")]
    assert plan.gone == []
