"""The command `irfuse`: parse, call, print. `app.py` lists the commands, each of which has its own file.

This file imports nothing large, so that Ctrl-C ends the command in one line also while everything else is imported.
"""

import gc
import os
import signal
import sys
from _thread import interrupt_main

# Not from `typing`, which would lengthen the time before `main` can answer Ctrl-C.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

_INTERRUPTED = 130


def main() -> "NoReturn":
    """Run the command.

    The exit status is 0 on success, 1 if some pairs failed, 2 if nothing could be done, and 130 on Ctrl-C.
    """
    interrupted = False

    def interrupt(number: int, frame: "FrameType | None") -> None:
        nonlocal interrupted
        interrupted = True
        if _is_importing(frame):
            # Compiled modules, such as PyTorch's, may abort the process if an exception comes while they are loaded.
            os.write(sys.stderr.fileno(), b"irfuse: stopped\n")
            os._exit(_INTERRUPTED)
        raise KeyboardInterrupt

    def interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
        """Interrupt the main thread where Python would print the interrupt of a destructor or a callback, and go on."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            from threading import Timer

            # A little later, since an interrupt of this function would itself be printed.
            Timer(0.05, interrupt_main).start()
        else:
            unraisable_hook(unraisable)

    unraisable_hook, sys.unraisablehook = sys.unraisablehook, interrupt_again
    # A command in the background of a shell ignores Ctrl-C, and still does.
    listens = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    if listens:
        signal.signal(signal.SIGINT, interrupt)
    try:
        from irfuse.cli.app import run

        status = run()
        # A library may have turned the interrupt into an error of its own, or into the failure of one pair.
        status = _INTERRUPTED if interrupted and status else status
    except BaseException:
        if not interrupted:
            raise
        print("irfuse: stopped", file=sys.stderr)
        status = _INTERRUPTED
    finally:
        sys.unraisablehook = unraisable_hook
        if listens:
            signal.signal(signal.SIGINT, _leave)
        # At exit, Python would search for garbage in all that PyTorch has made, which takes longer than to fuse a pair.
        gc.freeze()
    sys.exit(status)


def _is_importing(frame: "FrameType | None") -> bool:
    """Tell whether a module is being imported in a frame or one that called it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _leave(number: int, frame: "FrameType | None") -> None:
    """End at once. While Python shuts down, it would print the traceback of an interrupt."""
    os._exit(_INTERRUPTED)
