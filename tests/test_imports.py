"""What the library imports: nothing that only Unix has, and its own folders in one direction."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import lolhl

_IMPORT_ALL = """
import builtins, importlib, pkgutil
import lolhl

UNIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
ordinary = builtins.__import__

def without_unix(name, globals=None, *arguments):
    importer = (globals or {}).get("__name__", "")
    if importer.split(".")[0] == "lolhl" and name.split(".")[0] in UNIX_ONLY:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return ordinary(name, globals, *arguments)

builtins.__import__ = without_unix
names = [module.name for module in pkgutil.walk_packages(lolhl.__path__, "lolhl.") if module.name != "lolhl.__main__"]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def test_no_module_needs_what_only_unix_has() -> None:
    done = subprocess.run([sys.executable, "-c", _IMPORT_ALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60


def test_data_flows_one_way() -> None:
    """The folders of the library, and the files beside them, import one another without a circle."""
    imports: dict[str, set[str]] = defaultdict(set)
    for file, module in _imports():
        folder = file.parts[0].removesuffix(".py")
        imports[folder] |= {part for part in module.split(".")[1:2] if module.startswith("lolhl.") and part != folder}
    order = list(TopologicalSorter(imports).static_order())  # raises CycleError, which names the circle
    data_flow = ["vod", "frames", "signals", "models", "report", "stages", "cli"]
    assert [name for name in order if name in data_flow] == data_flow


def test_no_module_of_the_library_imports_torchx() -> None:
    assert [file for file, module in _imports() if module.split(".")[0] == "torchx"] == []


def _imports() -> Iterator[tuple[Path, str]]:
    """Each file of the library and each module that it imports, also for types or within a function."""
    library = Path(lolhl.__file__).parent
    for path in library.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names if node.module == "lolhl" else [None]:
                    yield path.relative_to(library), f"lolhl.{alias.name}" if alias else node.module
            elif isinstance(node, ast.Import):
                yield from ((path.relative_to(library), alias.name) for alias in node.names)
