"""The wheel in an environment of its own: it has all that the package needs, and its page opens.

The environment holds the wheel and, as links, those of the installed packages that the wheel asks for, and what these
ask for in turn: what is imported without being asked for is missing. Not seen are other versions of them, as pip may
choose them on another day, and programs that packages install: ffmpeg is the machine's.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from playwright.sync_api import expect

from tests.browser import chromium

SOURCE = Path(__file__).parents[1]
PACKAGES = ("lolhl", "components")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="links and folders of environments are others there"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy, since building leaves folders beside the source."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE / name, source)
    for name in PACKAGES:
        shutil.copytree(SOURCE / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, cwd=folder, env=ENVIRONMENT)
    (made,) = folder.glob("lolhl-*.whl")
    return made


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `lolhl` of an environment with the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", "--no-index", str(wheel)], check=True, cwd=folder, env=ENVIRONMENT)
    (packages,) = folder.glob("lib/python*/site-packages")
    for distribution in asked_for(wheel):
        for top in {PurePosixPath(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder / "bin/lolhl"


def asked_for(wheel: Path) -> Iterator[metadata.Distribution]:
    """The installed packages that the wheel asks for, and what these ask for in turn."""
    waiting = [Requirement(text) for text in described(wheel).get_all("Requires-Dist", [])]
    known: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *requirement.extras):
            key = canonicalize_name(requirement.name), extra
            if key in known or not (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                continue
            known.add(key)
            distribution = metadata.distribution(requirement.name)
            if not extra:
                yield distribution
            for text in distribution.requires or ():
                other = Requirement(text)
                if other.marker is None or other.marker.evaluate({"extra": extra}):
                    other.marker = None
                    waiting.append(other)


def described(wheel: Path) -> Message:
    """The METADATA of a wheel."""
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(packed.read(name).decode())


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if ".dist-info/" not in name]
    kept = {".py", ".html", ".css", ".js", ".toml", ".typed"}
    data = [file.relative_to(SOURCE) for file in (SOURCE / "lolhl").rglob("*") if file.is_file()]
    for file in data:
        assert file.suffix in {*kept, ".md", ".pyc"}, f"{file}: is it to be in the wheel?"
    expected = [file.as_posix() for file in data if file.suffix in kept or file.name == "py.typed"]
    expected += [file.relative_to(SOURCE).as_posix() for file in (SOURCE / "components").rglob("*.py")]
    assert sorted(names) == sorted(expected)
    assert {Path(name).suffix for name in expected} >= {".py", ".html", ".css", ".js", ".toml"}


def test_the_wheel_asks_for_what_the_project_says(wheel: Path) -> None:
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [Requirement(text) for text in described(wheel).get_all("Requires-Dist", [])]
    assert {str(need) for need in asked if need.marker is None} == {
        str(Requirement(n)) for n in project["dependencies"]
    }


def test_the_program_comes_from_the_wheel_alone(program: Path, tmp_path: Path) -> None:
    code = "import sys, lolhl; print(lolhl.__file__, lolhl.__version__, *sys.path, sep='\\n')"
    file, version, *places = run(program.with_name("python"), "-c", code, folder=tmp_path).splitlines()
    assert Path(file).is_relative_to(program.parents[1])
    assert version in run(program, "--version", folder=tmp_path)
    assert not [place for place in places if place and Path(place).resolve() == SOURCE]


@pytest.mark.parametrize("words", [["--help"], ["review", "--help"], ["analyse", "--help"]])
def test_it_explains_itself(program: Path, words: list[str], tmp_path: Path) -> None:
    assert run(program, *words, folder=tmp_path).startswith(f"usage: {' '.join(['lolhl', *words[:-1]])}")


def test_every_module_is_there_with_what_it_imports(program: Path, tmp_path: Path) -> None:
    code = "import importlib, pkgutil, lolhl\n"
    code += "names = [m.name for m in pkgutil.walk_packages(lolhl.__path__, 'lolhl.') if m.name != 'lolhl.__main__']\n"
    code += "for name in names: importlib.import_module(name)\nimport captum.attr\n"
    code += "from lolhl.explain import regions\nfrom lolhl.labels import event_rules\n"
    code += "print(len(names), len(regions.shipped()) > 0, len(event_rules.shipped().kinds) > 0)"
    count, *read = run(program.with_name("python"), "-c", code, folder=tmp_path).split()
    assert int(count) > 100
    assert read == ["True", "True"]


def test_the_review_page_opens_from_it(program: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with reviewing(program, tmp_path) as address, chromium() as browser:
        errors: list[str] = []
        page = browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(address)
        expect(page.get_by_role("button", name="Start")).to_be_visible(timeout=30_000)
        assert errors == []


@contextmanager
def reviewing(program: Path, folder: Path) -> Iterator[str]:
    """`lolhl review` on an empty root, and the address that it prints. Ctrl-C ends it."""
    command = [str(program), "review", "--root", str(folder / "root"), "--no-browser"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=ENVIRONMENT) as process:
        assert process.stderr
        try:
            lines = []
            for line in process.stderr:
                lines.append(line)
                if match := re.search(r"open (http://127\.0\.0\.1:\S+)", line):
                    yield match[1]
                    break
            else:
                pytest.fail("".join(lines))
        finally:
            process.terminate()
            process.wait(60)


def run(program: Path, *words: str, folder: Path) -> str:
    """What a program prints, started in an empty folder."""
    done = subprocess.run([str(program), *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
