"""Runs a notebook without Jupyter: its cells in order in one namespace, with `!` lines as commands of a shell.

What only Colab has, lines that end in "# only on Colab", is left out. Fields of forms (`name = value  # @param …`) get
other values. As in IPython, `_exit_code` is that of the last command, and {…} in a command is a Python expression.
"""

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_FIELD = re.compile(r"(?P<name>\w+) = .*# @param")


def code_cells(notebook: Path) -> dict[str, str]:
    """Id of each cell of code → its source, in order."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}


def run_notebook(notebook: Path, fields: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Runs all cells of code. Returns the value of each cell's last line, by the cell's id; None without one.

    Args:
        notebook: the file.
        fields: values for fields of forms.
        environment: of the commands, beside what the cells themselves set in `os.environ`.

    Raises:
        Exception: what a cell raises.
    """

    def shell(command: str) -> int:
        expanded = re.sub(r"\{([^{}]+)\}", lambda match: str(eval(match[1], namespace)), command)  # noqa: S307
        words = ["sh", "-c", expanded]
        done = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr)
        return done.returncode

    namespace: dict[str, Any] = {"__name__": "__main__", "_shell": shell}
    values: dict[str, Any] = {}
    for name, source in code_cells(notebook).items():
        tree = ast.parse("\n".join(_lines(source, fields)), filename=f"{notebook.name}, cell {name}")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"cell {name}", "exec"), namespace)  # noqa: S102
        values[name] = None
        if isinstance(last, ast.Expr):
            values[name] = eval(compile(ast.Expression(last.value), f"cell {name}", "eval"), namespace)  # noqa: S307
    return values


def _lines(source: str, fields: Mapping[str, Any]) -> Iterator[str]:
    for line in source.splitlines():
        field = _FIELD.match(line)
        if line.rstrip().endswith("# only on Colab"):
            continue
        if field and field["name"] in fields:
            yield f"{field['name']} = {fields[field['name']]!r}"
        elif line.startswith("!"):
            yield f"_exit_code = _shell({line[1:]!r})"
        else:
            assert not line.startswith("%"), f"a magic that is not switched off: {line}"
            yield line
