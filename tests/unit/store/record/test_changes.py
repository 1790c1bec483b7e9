import threading

from sqlalchemy import select

from lumikb.store.record import changes
from lumikb.store.record.engine import Record
from lumikb.store.record.tables.knowledge import change_log


def test_the_log_is_read_in_order_and_in_pieces(record: Record) -> None:
    assert record.read(changes.max_seq) == 0
    record.write(lambda unit: changes.append_change(unit, "kb", "add", [1, 2, 2**40]))
    record.write(lambda unit: changes.append_change(unit, "kb", "remove", [2]))
    record.write(lambda unit: changes.append_change(unit, "kb", "add", []))
    log = record.read(lambda connection: changes.changes_after(connection, 0, 10))
    assert [(change.op, change.chunk_keys) for change in log] == [("add", [1, 2, 2**40]), ("remove", [2])]
    assert record.read(changes.max_seq) == log[-1].seq
    assert record.read(lambda connection: changes.changes_after(connection, log[0].seq, 10)) == log[1:]
    assert record.read(lambda connection: changes.changes_after(connection, 0, 1)) == log[:1]


def test_a_reader_that_saw_a_number_has_seen_every_smaller_one(record: Record) -> None:
    done = threading.Event()
    gaps: list[str] = []

    def watch() -> None:
        while not done.is_set():
            with record.reading() as connection:
                newest = changes.max_seq(connection)
                count = len(connection.execute(select(change_log.c.seq)).all())
                if count != newest:
                    gaps.append(f"{count} rows below {newest}")

    def append() -> None:
        for _ in range(25):
            record.write(lambda unit: changes.append_change(unit, "kb", "add", [1]))

    watcher = threading.Thread(target=watch)
    writers = [threading.Thread(target=append) for _ in range(4)]
    watcher.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    watcher.join()
    assert gaps == []
    assert record.read(changes.max_seq) == 100


def test_a_large_change_takes_several_entries(record: Record) -> None:
    keys = list(range(1, 2 * changes.CHUNKS_PER_CHANGE + 2))
    record.write(lambda unit: changes.append_change(unit, "kb", "add", keys))
    log = record.read(lambda connection: changes.changes_after(connection, 0, 10))
    assert [len(change.chunk_keys) for change in log] == [changes.CHUNKS_PER_CHANGE, changes.CHUNKS_PER_CHANGE, 1]
    assert [key for change in log for key in change.chunk_keys] == keys


def test_removals_are_told_by_knowledge_base(record: Record) -> None:
    record.write(lambda unit: changes.append_change(unit, "one", "add", [1]))
    seq = record.read(changes.max_seq)
    record.write(lambda unit: changes.append_change(unit, "two", "remove", [1]))
    record.write(lambda unit: changes.append_change(unit, "one", "add", [2]))

    def removed(seq: int, *kb_ids: str) -> bool:
        return record.read(lambda connection: changes.removed_since(connection, seq, kb_ids))

    assert removed(seq, "two", "three")
    assert not removed(seq, "one")
    assert not removed(seq + 1, "two")
