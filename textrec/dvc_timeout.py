"""`python -m textrec.dvc_timeout pull`: any command of dvc, with a bound on how long it waits for Google Drive.

By itself dvc waits without end for a Drive that does not answer: no setting of it or of dvc-gdrive is a timeout.
"""

import socket
import sys

from textrec.archives.fetch import TIMEOUT


def main() -> None:
    """Run the command of dvc that the arguments name; a connection that brings nothing for a minute is given up."""
    from dvc.cli import main as dvc

    socket.setdefaulttimeout(TIMEOUT[1])
    sys.exit(dvc(sys.argv[1:]))


if __name__ == "__main__":
    main()
