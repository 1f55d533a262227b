"""`python -m textrec.dvc_timeout pull`: any command of dvc, with a bound on how long it waits for Google Drive.

By itself dvc waits without end for a Drive that does not answer: no setting of it or of dvc-gdrive is a timeout. Nor
does it know what to do without credentials, which is told before it begins to pull or push.
"""

import argparse
import socket
import sys

from textrec.archives.fetch import TIMEOUT
from textrec.base.runtime import TextrecError, describe, fail
from textrec.gdrive_setup import ready


def main() -> None:
    """Run the command of dvc that the arguments name; a connection that brings nothing for a minute is given up."""
    from dvc.cli import main as dvc

    socket.setdefaulttimeout(TIMEOUT[1])
    if sys.argv[1:2] in (["pull"], ["push"], ["fetch"]):
        parser = argparse.ArgumentParser(add_help=False)
        parser.add_argument("-r", "--remote", default="")
        try:
            ready(parser.parse_known_args()[0].remote)
        except TextrecError as error:
            fail(str(error))
        except OSError as error:
            fail(describe(error))
    sys.exit(dvc(sys.argv[1:]))


if __name__ == "__main__":
    main()
