"""The `tesseract` program, where it is installed: is it here, what does it know, and a picture's text as hOCR.

It is optional, so nothing of it is a dependency: it is found on PATH, started with a list of arguments, and given a
picture on stdin; nothing is written to disk. Its manual: https://tesseract-ocr.github.io/tessdoc/Command-Line-Usage.html
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

PAGE_S = 90.0  # limit for one page; less than `sandbox.TIME_S`, so that a page fails and not its file
_ASK_S = 20.0  # limit for asking what it knows
_ONE_THREAD = {"OMP_THREAD_LIMIT": "1"}  # its threads wait for each other more than they work
_SEGMENTATION = "1"  # find columns and blocks, and turn pages that lie on their side

# How a package manager is told to install; the package of the program; that of a language, by tesseract's name of it.
_PACKAGES: dict[str, tuple[str, str, str]] = {
    "brew": ("brew install", "tesseract", "tesseract-lang"),  # one package for all languages but English
    "apt-get": ("sudo apt-get install", "tesseract-ocr", "tesseract-ocr-{}"),
    "dnf": ("sudo dnf install", "tesseract", "tesseract-langpack-{}"),
    "pacman": ("sudo pacman -S", "tesseract", "tesseract-data-{}"),
    "apk": ("sudo apk add", "tesseract-ocr", "tesseract-ocr-data-{}"),
}
_WEB = "https://tesseract-ocr.github.io/tessdoc/Installation.html"


class Unavailable(Exception):
    """Nothing can be recognised here: `why` continues a sentence, `hint` says what to install."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


class Failed(Exception):
    """The program failed at one picture; the text says how and continues a sentence."""


@dataclass(frozen=True, slots=True)
class Ocr:
    """How scans are to be read: `languages` as tesseract names them ("eng+deu"). `on_page` is told, before each page
    and after the last, how many scanned pages of a file are done and how many there are.
    """

    languages: str
    on_page: Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as grey pixels: a byte each, 0 is black, row after row from the top."""

    pixels: bytes
    width: int
    height: int
    dpi: int


def program() -> str | None:
    """Path of the program, or None where it is not installed."""
    return shutil.which("tesseract")


def version() -> str:
    """What the program says of itself, "tesseract 5.3.0". Raises Failed."""
    return (_run("--version", limit_s=_ASK_S).decode("utf-8", "replace").splitlines() or ["tesseract"])[0]


def installed() -> list[str]:
    """Names of the languages it can read, by alphabet. Raises Failed."""
    lines = _run("--list-langs", limit_s=_ASK_S).decode("utf-8", "replace").splitlines()
    return sorted(line.strip() for line in lines if line.strip() and not line.rstrip().endswith(":"))


def check(languages: str) -> None:
    """Raises Unavailable where the program or one of the `languages` (as in "eng+deu") is missing."""
    if program() is None:
        install = _command(languages.split("+"), whole=True)
        raise Unavailable("tesseract, which could read it, is not installed", f"Install it with {install}.")
    try:
        there = installed()
    except Failed as error:
        raise Unavailable(str(error), f"Try `tesseract --list-langs`; {_WEB} says how to install it anew.") from error
    missing = [name for name in languages.split("+") if name not in there]
    if missing:
        names = " and ".join(f'"{name}"' for name in missing)
        raise Unavailable(
            f"tesseract cannot read {names} (it has {', '.join(there) or 'no language'})",
            f"Install {names} with {_command(missing, whole=False)}, or correct the setting read.ocr_languages.",
        )


def hocr(picture: Picture, languages: str, limit_s: float = PAGE_S) -> bytes:
    """What is written on a picture, as hOCR: XHTML with the place of each word. Raises Failed."""
    head = f"P5 {picture.width} {picture.height} 255\n".encode()  # a netpbm greymap
    options = ("--dpi", str(picture.dpi), "--psm", _SEGMENTATION, "-l", languages, "-c", "tessedit_create_hocr=1")
    return _run("stdin", "stdout", *options, data=head + picture.pixels, limit_s=limit_s)


def _command(languages: list[str], whole: bool) -> str:
    """The command that installs languages and, for the `whole`, the program; on unknown systems the manual."""
    managers = [name for name in _PACKAGES if (name == "brew") == (sys.platform == "darwin")]
    manager = "brew" if sys.platform == "darwin" else next(filter(shutil.which, managers), None)
    if manager is None:
        return f"your system's package manager (see {_WEB})"
    install, base, pattern = _PACKAGES[manager]
    if manager == "brew":
        languages = [name for name in languages if name != "eng"]
    if manager == "apt-get":
        languages = [name.replace("_", "-").lower() for name in languages]
    packages = dict.fromkeys([*([base] if whole else []), *(pattern.format(name) for name in languages)])
    return f"`{install} {' '.join(packages)}`"


def _run(*arguments: str, data: bytes = b"", limit_s: float) -> bytes:
    found = program()
    if found is None:
        raise Failed("tesseract is not installed")
    try:
        done = subprocess.run(
            [found, *arguments], input=data, capture_output=True, timeout=limit_s, env=os.environ | _ONE_THREAD
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"tesseract took longer than {limit_s:g} s") from error
    except OSError as error:
        raise Failed(f"tesseract cannot be started: {error.strerror or error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        raise Failed(f"tesseract failed with {how}" + (f": {said[-1][:200]}" if said else ""))
    return done.stdout
