"""What a mirrored folder and the documents that mirror it differ by."""

from pathlib import Path
from typing import Any

import pytest

from lumikb.cli.sync import FOLDER, PATH, SHARED, Plan, make_plan
from lumikb.cli.uploads import Upload

ROOT = "/papers"


def document(number: int, path: str, sha256: str, folder: str | None = ROOT, **shared: str) -> dict[str, Any]:
    """A document that mirrors a file of `folder`, if that is given, and is `shared` with files of others."""
    metadata: dict[str, Any] = {} if folder is None else {FOLDER: folder, PATH: path}
    metadata |= {SHARED: shared} if shared else {}
    return {"id": f"d{number}", "name": Path(path).name, "sha256": sha256, "status": "READY", "metadata": metadata}


def plan_of(local: dict[str, str], documents: list[dict[str, Any]]) -> Plan:
    return make_plan(ROOT, {path: Path(path) for path in local}, local, documents)


def new(path: str) -> Upload:
    return Upload(Path(path), "new", metadata={FOLDER: ROOT, PATH: path})


def test_what_is_new_changed_moved_gone_and_the_same_is_told_apart() -> None:
    documents = [
        document(1, "same.txt", "s"),
        document(2, "changed.txt", "old"),
        document(3, "old/name.txt", "m"),
        document(4, "gone.txt", "g"),
    ]
    plan = plan_of({"same.txt": "s", "changed.txt": "new", "new/name.txt": "m", "fresh.txt": "f"}, documents)
    assert plan == Plan(
        unchanged=[(documents[0], "same.txt")],
        moved=[(documents[2], "new/name.txt")],
        uploads={"changed.txt": Upload(Path("changed.txt"), "changed", "d2"), "fresh.txt": new("fresh.txt")},
        gone=[documents[3]],
    )


@pytest.mark.parametrize("files", [2, 3, 7])
def test_files_that_change_places_are_moved(files: int) -> None:
    documents = [document(number, f"{number}.txt", f"s{number}") for number in range(files)]
    plan = plan_of({f"{(number + 1) % files}.txt": f"s{number}" for number in range(files)}, documents)
    assert plan == Plan(moved=[(documents[number], f"{(number + 1) % files}.txt") for number in range(files)])


def test_a_rotated_file_leaves_its_old_name_to_a_new_document() -> None:
    documents = [document(1, "c.log", "monday"), document(2, "c.1.log", "sunday"), document(3, "c.2.log", "saturday")]
    plan = plan_of({"c.log": "tuesday", "c.1.log": "monday", "c.2.log": "sunday"}, documents)
    assert plan.moved == [(documents[0], "c.1.log"), (documents[1], "c.2.log")]
    assert plan.uploads == {"c.log": new("c.log")}
    assert plan.gone == [documents[2]]


def test_a_second_document_of_one_file_goes() -> None:
    documents = [document(1, "a.txt", "s"), document(2, "a.txt", "t")]
    assert plan_of({"a.txt": "s"}, documents) == Plan(unchanged=[(documents[0], "a.txt")], gone=[documents[1]])


def test_a_file_that_became_a_copy_of_another_leaves_one_document() -> None:
    documents = [document(1, "a.txt", "s"), document(2, "b.txt", "t")]
    plan = plan_of({"a.txt": "s", "b.txt": "s"}, documents)
    assert plan == Plan(unchanged=[(documents[0], "a.txt")], copies={"b.txt": "a.txt"}, gone=[documents[1]])


def test_of_two_copies_of_a_moved_file_one_takes_over() -> None:
    documents = [document(1, "a.txt", "s")]
    plan = plan_of({"b.txt": "s", "c.txt": "s"}, documents)
    assert plan == Plan(moved=[(documents[0], "b.txt")], copies={"c.txt": "b.txt"})


def test_of_new_copies_one_is_uploaded_as_the_version_of_a_document_where_there_is_one() -> None:
    plan = plan_of({"a.txt": "s", "b.txt": "s"}, [document(1, "b.txt", "old")])
    assert plan == Plan(uploads={"b.txt": Upload(Path("b.txt"), "changed", "d1")}, copies={"a.txt": "b.txt"})


def test_what_another_folder_mirrors_is_shared_and_let_go_again() -> None:
    theirs = document(1, "x.txt", "s", "/other")
    assert plan_of({"y.txt": "s"}, [theirs]) == Plan(shared=[(theirs, "y.txt")])
    theirs = document(1, "x.txt", "s", "/other", **{ROOT: "y.txt"})
    assert plan_of({"y.txt": "t"}, [theirs]) == Plan(uploads={"y.txt": new("y.txt")}, unshared=[theirs])


def test_a_document_that_is_shared_takes_no_new_version() -> None:
    shared = document(1, "x.txt", "s", other="y.txt")
    assert plan_of({"x.txt": "t"}, [shared]) == Plan(uploads={"x.txt": new("x.txt")}, gone=[shared])


def test_what_came_another_way_is_taken_for_the_file_of_its_name() -> None:
    free = document(1, "b.txt", "s", None)
    plan = plan_of({"a.txt": "s", "b.txt": "s"}, [free])
    assert plan == Plan(uploads={"b.txt": new("b.txt")}, copies={"a.txt": "b.txt"})
