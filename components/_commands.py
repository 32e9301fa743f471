"""TorchX's commands, which end with one line and no traceback where a value is wrong or a scheduler refuses."""

import argparse
import sys
from typing import Any

from torchx.cli.cmd_cancel import CmdCancel
from torchx.cli.cmd_describe import CmdDescribe
from torchx.cli.cmd_list import CmdList
from torchx.cli.cmd_log import CmdLog
from torchx.cli.cmd_run import CmdRun
from torchx.cli.cmd_status import CmdStatus

from components._interpreter import put_on_path
from components.schedulers.errors import SchedulerError


class _OneLine:
    """Goes before a command of TorchX among the bases of a class."""

    def run(self, args: argparse.Namespace) -> None:
        parent: Any = super()
        put_on_path()
        try:
            parent.run(args)
        except SchedulerError as error:
            sys.exit(f"torchx: {error}")
        except (ValueError, KeyError, FileNotFoundError) as error:  # how TorchX refuses what is wrong in its options
            print(f"torchx: {' '.join(str(error.args[-1] if error.args else error).split())}", file=sys.stderr)
            sys.exit(2)


class Cancel(_OneLine, CmdCancel):  # type: ignore[misc]
    pass


class Describe(_OneLine, CmdDescribe):  # type: ignore[misc]
    pass


class List(_OneLine, CmdList):  # type: ignore[misc]
    pass


class Log(_OneLine, CmdLog):  # type: ignore[misc]
    pass


class Run(_OneLine, CmdRun):  # type: ignore[misc]
    pass


class Status(_OneLine, CmdStatus):  # type: ignore[misc]
    pass
