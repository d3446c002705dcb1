"""The ``alignlib`` command: errors become a line for people and an exit code. The commands are in the book's rooms."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from alignlib.errors import AlignlibError, InvalidValue

FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


class _Terminated(KeyboardInterrupt):
    """Asked to end (SIGTERM): everything is cleaned up as after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (``sys.argv`` if none is given) and return the exit code."""
    try:
        import click

        from alignlib.book.commands import commands
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("alignlib"):
            raise
        _say(
            f"the book's tools are not installed ({error.name} is missing); "
            "install them with: pip install 'alignlib[book]'"
        )
        return USAGE
    try:
        commands.main(args=None if arguments is None else list(arguments), prog_name="alignlib", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except InvalidValue as error:
        return _say(str(error), USAGE)
    except AlignlibError as error:
        return _say(str(error), FAILED)
    except (KeyboardInterrupt, click.Abort) as error:
        terminated = isinstance(error.__cause__ or error, _Terminated)  # click wraps what interrupts it
        return _say("stopped; nothing of the old book was touched", TERMINATED if terminated else INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; there is nobody to tell
        return FAILED
    except OSError as error:
        from alignlib.book.files import explain

        return _say(str(explain(error)), FAILED)
    return 0


def _say(text: str, code: int = 0) -> int:
    print(text if "\n" in text else f"alignlib: {text}", file=sys.stderr)
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


if __name__ == "__main__":
    main()
