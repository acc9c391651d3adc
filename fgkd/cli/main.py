"""The ``fgkd`` command: its parser, and what becomes of errors. Commands import what they need when they run."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from fgkd.cli.parser import build_parser
from fgkd.errors import ProcessFailed, Stopped, UserError
from fgkd.text import printable

FAILED, MISTAKEN, INTERRUPTED = 1, 2, 130  # exit codes: runs failed, the user can mend it, Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0: done; 1: some runs or a process failed, or a board is out of date; 2: something for the user to mend, told in one
    message; 130: interrupted; 143: asked to stop by SIGTERM.
    """
    try:
        _check_encoding(sys.argv[1:] if argv is None else argv)
        args = build_parser().parse_args(argv)
        module, function = args.run.split(":")
        code = int(getattr(import_module(module), function)(args) or 0)
        if argv is None and "torch" not in sys.modules:
            # The process ends: what is left, say a large board's records, need not be searched for cycles. Not so where
            # torch brought Triton along, which lists on the terminal what it finds alive then.
            gc.freeze()
        return code
    except UserError as error:
        _say(str(error))
        return MISTAKEN
    except ProcessFailed as failure:
        if failure.first:
            _tell_failure(failure)
        return FAILED
    except KeyboardInterrupt as stop:
        _say("interrupted; the same command continues where this one stopped")
        return stop.exit_code if isinstance(stop, Stopped) else INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as stop:  # --help, --version
        return int(stop.code or 0)


def _check_encoding(argv: Sequence[str]) -> None:
    """Records and boards are UTF-8; bytes that are not would only be found at the end of a training."""
    for text in argv:
        if "\0" in text or text.encode(errors="replace").decode() != text:
            raise UserError(f"expected arguments in UTF-8, found {text!r}; rename the file or folder")


def _tell_failure(failure: ProcessFailed) -> None:
    """Why a job of several processes ends, by the process that knows."""
    cause = failure.__cause__
    if cause is not None and not isinstance(cause, UserError):
        traceback.print_exception(cause)
    reason = f"{type(cause).__name__}: {cause}" if not isinstance(cause, UserError) else str(cause)
    advice = "what is recorded stays; once this is mended, the same command continues"
    _say(f"{failure}: {reason}; {advice}", process=failure.rank)


def _say(message: str, process: int = 0) -> None:
    if int(os.environ.get("RANK", "0")) != process:  # all processes of a launch meet the same error: one tells it
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("fgkd: ", "bold red"), printable(message, keep="\n")), soft_wrap=True)
