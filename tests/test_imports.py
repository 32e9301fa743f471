"""The library is imported on every system: modules that only Unix has are never needed."""

import subprocess
import sys

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
