"""``python -m fgkd``: the same as the ``fgkd`` command."""

import sys

from fgkd.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
