"""Gateway and office in one process: what decision record 0003 compares with two. Not a way to run an installation."""

from __future__ import annotations

import threading

from app import gateway_process, office_process
from app.log import configure
from app.parts import stop_on_signals
from app.settings import load


def main() -> None:
    """Run both until asked to stop."""
    configure()
    settings, stop = load(None), stop_on_signals()
    work = [threading.Thread(target=target.run, args=(settings, stop)) for target in (gateway_process, office_process)]
    for thread in work:
        thread.start()
    for thread in work:
        while thread.is_alive():  # a signal that another thread gets does not end a wait without a limit
            thread.join(0.5)


if __name__ == "__main__":
    main()
