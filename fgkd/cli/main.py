"""The ``fgkd`` command: its parser, and what becomes of errors. Commands import what they need when they run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from fgkd.cli.parser import build_parser
from fgkd.errors import Stopped, UserError

FAILED, MISTAKEN, INTERRUPTED = 1, 2, 130  # exit codes: runs failed, the user can mend it, Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0: done; 1: some runs failed, or a board is out of date; 2: something for the user to mend, told in one message;
    130: interrupted; 143: asked to stop by SIGTERM.
    """
    try:
        args = build_parser().parse_args(argv)
        module, function = args.run.split(":")
        return int(getattr(import_module(module), function)(args) or 0)
    except UserError as error:
        _say(str(error))
        return MISTAKEN
    except KeyboardInterrupt as stop:
        _say("interrupted; the same command continues where this one stopped")
        return stop.exit_code if isinstance(stop, Stopped) else INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as stop:  # --help, --version
        return int(stop.code or 0)


def _say(message: str) -> None:
    if int(os.environ.get("RANK", "0")) > 0:  # all processes of a launch meet the same error: one tells it
        return
    from rich.console import Console
    from rich.text import Text

    # File names of others stand in messages; none may move, colour or forge lines of the terminal.
    message = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in message)
    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("fgkd: ", "bold red"), message), soft_wrap=True)
