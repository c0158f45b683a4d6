"""What a process said when it refused to start."""

from deploy.last_words import LastWords


def test_line_of_each_process_is_kept_however_the_output_is_cut():
    words = LastWords()
    output = (
        b"2026-11-28 08:00:00,000 INFO spawned: 'catalog' with pid 7\n"
        b"time=2026-11-28T08:00:01Z level=info process=catalog event=opening\n"
        b"catalog: identity.csv is empty: restore it, or `make rebuild`\n"
        b"order-3: var/order-3 belongs to cluster 7\n"
        b"order-1: var/order-1 is in use by another process\n"
        b"2026-11-28 08:00:02,000 WARN exited: catalog (exit status 1; not expected)\n"
    )
    for start in range(0, len(output), 7):
        words.hear(output[start : start + 7])
    assert words.of("catalog") == "catalog: identity.csv is empty: restore it, or `make rebuild`"
    assert words.of("order-3") == "order-3: var/order-3 belongs to cluster 7"
    assert words.of("order-1") == "order-1: var/order-1 is in use by another process"
    assert words.of("order-2") == "order-2: see its lines above"
    assert words.of("frontend") == "frontend: see its lines above"
