"""The script for ``accelerate launch fgkd/bench.py --suite NAME``; the same as ``fgkd bench --suite NAME``."""

import os
import sys

_FOLDER = os.path.dirname(os.path.realpath(__file__))
# Python puts a script's own folder first on the path, where a module of this package could shadow a library's.
if not __package__ and sys.path and os.path.realpath(sys.path[0]) == _FOLDER:
    sys.path[0] = os.path.dirname(_FOLDER)

if __name__ == "__main__":
    from fgkd.cli.main import main

    sys.exit(main(["bench", *sys.argv[1:]]))
