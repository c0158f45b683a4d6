import os

from deploy.cores import core_arguments, core_of


def test_processes_take_turns_over_the_cores_that_there_are(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {6, 1, 4})
    assert [core_of(place) for place in range(7)] == [1, 4, 6, 1, 4, 6, 1]


def test_with_one_core_there_is_nothing_to_keep_to(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3})
    assert core_of(0) is None


def test_platform_that_keeps_no_process_to_a_core(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert core_of(0) is None


def test_arguments():
    assert core_arguments(None) == []
    assert core_arguments(3) == ["--core", "3"]
