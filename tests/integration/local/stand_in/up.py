"""Runs `up` with the stand-ins beside this file in place of the app and the worker.

Usage: python up.py FOLDER ARGUMENT...   (the folder takes what the stand-ins write)
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
os.environ["STAND_IN"] = sys.argv.pop(1)
sys.path[0] = str(HERE.parents[3])

from local import __main__, parts  # noqa: E402  (after the path is right)

if __name__ == "__main__":
    # The stand-ins come first, `local` itself from where it is.
    parts.ROOT = f"{HERE}{os.pathsep}{parts.ROOT}"
    sys.exit(__main__.main())
