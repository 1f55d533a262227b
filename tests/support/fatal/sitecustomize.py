"""Has a process die where it opens a file with `fatal` for its name's end, as by a decoder that crashes."""

import os
import signal
import sys


def _look(event: str, told: tuple[object, ...]) -> None:
    if event == "open" and str(told[0]).endswith(("fatal.png", "fatal.pdf")):
        os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(_look)
