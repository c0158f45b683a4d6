"""supervisord that looks ten times a second, not once: `python -m deploy.supervisord -c FILE`.

It sees a signal, the end of a process and what comes after that only when it looks. A stop, one process after another,
took some of its seconds, and so did the new start of one that was killed.
"""

if __name__ == "__main__":
    from common.process.start import start_clean

    start_clean()

from supervisor import poller, supervisord

LOOK_S = 0.1


def look_often() -> None:
    """Have it look every LOOK_S, instead of every second, from now on."""
    poll = poller.Poller.poll
    poller.Poller.poll = lambda self, timeout: poll(self, min(timeout, LOOK_S))


if __name__ == "__main__":
    look_often()
    supervisord.main()
