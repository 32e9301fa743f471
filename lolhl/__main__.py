"""Where `lolhl` and `python -m lolhl` begin and end. Ctrl-C in between gives one line and exit code 130.

Python itself prints a traceback or ends by the signal where Ctrl-C comes while modules are imported or taken down. So
all imports that take time happen in `main`, and the process ends without taking modules down, which also saves the
up to one second that this takes with the libraries of a stage. Only Python's own start is left.
"""

import atexit
import os
import sys


def main() -> int:
    """Runs the command line. Returns the exit code, with which the process then ends."""
    code = 1

    def end(*_: object) -> None:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    atexit.register(end)  # registered before all others, so called after them
    try:
        try:
            from lolhl import cli

            code = cli.main()
        except SystemExit as ended:  # of argparse
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            import signal

            # The work is over. What is awaited from here on are threads of libraries, which Ctrl-C cuts short.
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, end)
    except KeyboardInterrupt:
        code = 130
        print("lolhl: interrupted; the same command goes on from here", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
