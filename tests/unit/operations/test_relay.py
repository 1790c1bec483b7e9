from lumikb.operations.relay import OutboxRelay
from lumikb.store.record.engine import Record
from lumikb.store.record.outbox import OutboxEvent, append_outbox, undelivered


def test_events_are_told_once_in_order_and_to_their_topic_only(record: Record) -> None:
    told: list[tuple[str, int]] = []

    def hear(event: OutboxEvent) -> None:
        told.append((event.topic, event.payload["n"]))

    relay = OutboxRelay(record, {"document.status": [hear]})
    for number in range(3):
        record.write(lambda unit, n=number: append_outbox(unit, "document.status", {"n": n}))
    record.write(lambda unit: append_outbox(unit, "other", {"n": 9}))
    assert relay.deliver() == 4
    assert relay.deliver() == 0
    assert told == [("document.status", 0), ("document.status", 1), ("document.status", 2)]
    assert record.read(lambda connection: undelivered(connection, 10)) == []


def test_what_a_subscriber_could_not_take_is_told_again(record: Record) -> None:
    told: list[int] = []

    def fail_once(event: OutboxEvent) -> None:
        told.append(event.payload["n"])
        if len(told) == 1:
            raise ValueError("not now")

    relay = OutboxRelay(record, {"document.status": [fail_once]})
    record.write(lambda unit: append_outbox(unit, "document.status", {"n": 1}))
    try:
        relay.deliver()
    except ValueError:
        relay.deliver()
    assert told == [1, 1]


def test_a_rolled_back_change_is_not_told(record: Record) -> None:
    try:
        with record.writing() as unit:
            append_outbox(unit, "document.status", {"n": 1})
            raise ValueError("stop")
    except ValueError:
        pass
    assert OutboxRelay(record, {}).deliver() == 0
