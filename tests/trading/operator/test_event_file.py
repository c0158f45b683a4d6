import dataclasses

import pytest
from structlog.testing import capture_logs

from trading.operator.event_file import NAME, OLDER_NAME, ClusterEvent, EventFile, read_events

EVENT = ClusterEvent("2031-04-09T13:05:22.104511Z", "failure", "replica 1: faulty: Connection refused", 1)


def test_events_are_read_as_they_were_kept(tmp_path):
    election = ClusterEvent(EVENT.time, "election", "replica 2 leads epoch 4", 2, 4)
    file = EventFile(tmp_path)
    file.append(EVENT)
    EventFile(tmp_path).append(election)
    assert read_events(tmp_path) == [EVENT, election]


def test_the_oldest_are_given_up_when_the_file_is_full(tmp_path):
    file = EventFile(tmp_path, max_bytes=1000)
    events = [dataclasses.replace(EVENT, replica_id=number) for number in range(1, 100)]
    for event in events:
        file.append(event)
        kept = read_events(tmp_path)
        assert kept == events[: event.replica_id][-len(kept) :]
    assert len(kept) >= 5
    assert all((tmp_path / name).stat().st_size <= 1000 for name in (NAME, OLDER_NAME))


@pytest.mark.parametrize("left", [0, 3, 40])
def test_an_event_behind_a_line_that_was_cut_off_is_not_lost(tmp_path, left):
    EventFile(tmp_path).append(EVENT)
    (tmp_path / NAME).write_bytes((tmp_path / NAME).read_bytes()[:left])
    EventFile(tmp_path).append(EVENT)
    assert read_events(tmp_path) == [EVENT]


def test_where_no_loop_ever_ran_there_are_none(tmp_path):
    assert read_events(tmp_path / "health") == []


@pytest.mark.parametrize("torn", ['{"time": "2031', '{"when": 1}', "[1]", "\x00\x00"])
def test_a_torn_line_is_left_out_and_said(tmp_path, torn):
    EventFile(tmp_path).append(EVENT)
    with (tmp_path / NAME).open("a") as file:
        file.write(torn + "\n")
    EventFile(tmp_path).append(EVENT)
    with capture_logs() as logs:
        assert read_events(tmp_path) == [EVENT, EVENT]
    assert [(log["event"], log["line"]) for log in logs] == [("not an event", 2)]


def test_an_event_that_cannot_be_written_is_logged_and_the_loop_goes_on(tmp_path):
    (tmp_path / NAME).mkdir()
    with capture_logs() as logs:
        EventFile(tmp_path).append(EVENT)
    assert logs[0]["event"] == "event not kept"
    assert logs[0]["event_text"] == EVENT.text
