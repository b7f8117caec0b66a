"""Two folders change places in one step, which Python's own functions cannot do."""

import errno
import os
from pathlib import Path

#: Of fcntl.h and linux/fs.h: paths as they are, and `exchange`.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
#: Where the file system or the system cannot do it.
_UNABLE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


def exchange(one: Path, other: Path) -> bool:
    """False where that cannot be done, and nothing happened. Raises OSError.

    `renameat2` of Linux: a reader of either name finds one folder or the other at any time.
    """
    import ctypes  # noqa: PLC0415  (takes longer than the exchange, and most builds need none)

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    paths = os.fsencode(one), os.fsencode(other)
    if library.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNABLE:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))
