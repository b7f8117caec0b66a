"""`python -m local`: `liftlock up` without the rest of the command line."""

import argparse
import sys
from pathlib import Path

from local.up import Options, up


def main() -> int:
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--data", type=Path, default=default.data)
    parser.add_argument("--host", default=default.host)
    parser.add_argument("--port", type=int, default=default.port)
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--router-port", type=int, default=default.router_port)
    parser.add_argument("--workers", type=int, default=default.workers)
    return up(Options(**vars(parser.parse_args())))


if __name__ == "__main__":
    sys.exit(main())
