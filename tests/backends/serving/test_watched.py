from backends.serving.watched import Watched


def test_a_health_loop_that_promised_to_come_again_and_did_not_is_gone_after_a_minute():
    """A process that has just started cannot know of one."""
    now = [100.0]
    watched = Watched(lambda: now[0])
    told = []
    for then_s, watch_s in ((0, 0), (59, 0), (1, 28), (27, 0), (1, 0), (59, 0), (1, 0)):
        now[0] += then_s
        watched.note(watch_s)
        told.append(watched.state())
    assert told == [None, None, True, True, None, None, False]
