import threading

from common.process.request_context import add_request_id, current_request_id, working_for


def test_a_thread_has_an_id_only_inside_the_block_and_then_the_one_before():
    assert current_request_id() == ""
    with working_for("outer"):
        with working_for("inner"):
            assert current_request_id() == "inner"
        assert current_request_id() == "outer"
    assert current_request_id() == ""


def test_the_id_of_one_thread_is_not_seen_by_another():
    seen = []
    with working_for("mine"):
        thread = threading.Thread(target=lambda: seen.append(current_request_id()))
        thread.start()
        thread.join()
    assert seen == [""]


def test_log_lines_carry_the_id_and_may_name_another():
    assert add_request_id(None, "info", {"event": "x"}) == {"event": "x"}
    with working_for("bot7:1"):
        assert add_request_id(None, "info", {"event": "x"}) == {"event": "x", "request_id": "bot7:1"}
        assert add_request_id(None, "info", {"request_id": "own"}) == {"request_id": "own"}
