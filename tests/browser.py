"""Drives the page in Chromium: a server in a thread, a browser, and a log of what the page asked for.

    with serving(app) as url, browsing() as browser:
        visit = open_page(browser, url)
        visit.ask("When was it built?")
        assert "1874" in visit.answer()
        visit.check()                      # no foreign host was asked, nothing was complained of

As a program it takes the picture in the README, of a page that runs already:

    python tests/browser.py http://127.0.0.1:7860 docs/screenshot.png "What does the first article say?"
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from conftest import wait_until
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")
LONG_MS = 600_000  # a real model on a slow machine reads for minutes
_SAID = """element => {
  const copy = element.cloneNode(true);
  for (const other of copy.querySelectorAll(".sr, .verdict")) other.remove();
  return copy.textContent;
}"""
_CONTRAST = """element => {
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
  const light = (colours) => {
    for (const colour of colours) {
      pixel.fillStyle = colour;
      pixel.fillRect(0, 0, 1, 1);
    }
    const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [dark, bright] = [light(["white", ...layers]), light([getComputedStyle(element).color])].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}"""


@dataclass
class Visit:
    """One tab. `requests` are all addresses it asked for, `complaints` its console errors and script errors."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def ask(self, question: str) -> None:
        self.page.fill("#question textarea", question)
        self.page.press("#question textarea", "Enter")

    def answer(self, timeout_ms: float = LONG_MS) -> str:
        """The newest answer's text with its markers and without its verdicts, once it is complete."""
        self.page.wait_for_selector("#now .turn footer", timeout=timeout_ms)
        return str(self.page.locator("#now .answer").evaluate(_SAID))

    def contrast(self, selector: str) -> float:
        """The ratio of the first such element's text to what is behind it, as WCAG 2.2 defines it: 1 to 21."""
        return float(self.page.locator(selector).first.evaluate(_CONTRAST))

    def lit_quote(self) -> str:
        """The text of the quote that the last chosen marker lit in the sources."""
        self.page.wait_for_selector("#sources mark.lit")
        return "".join(self.page.locator("#sources mark.lit").all_text_contents())

    def check(self) -> None:
        host = urlsplit(self.url).netloc
        foreign = [one for one in self.requests if urlsplit(one).netloc not in ("", host)]
        assert not foreign
        assert not self.complaints


def open_page(browser: Browser, url: str, width: int = 1280, height: int = 800, scheme: str = "light") -> Visit:
    """A new tab with a session of its own, once the page can be used."""
    page = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    ).new_page()
    visit = Visit(page, url)
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.goto(url)
    page.wait_for_selector("#question textarea")
    page.wait_for_selector("#now .welcome, #now .turn")
    return visit


@contextmanager
def browsing() -> Iterator[Browser]:
    """Chromium, or a skip that says why not. The variable CHROMIUM names another executable."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app: Any = self.config.app
        app.state.before_stop()
        await super().shutdown(sockets)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The app on a free port of 127.0.0.1, in a thread; its address."""
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=30))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def screenshot(url: str, path: Path, question: str) -> None:
    """Asks a question, opens its first source and writes a picture of the page."""
    with browsing() as browser:
        visit = open_page(browser, url)
        visit.ask(question)
        visit.answer()
        if visit.page.locator("#now .marker").count():
            visit.page.locator("#now .marker").first.click()
        visit.page.wait_for_timeout(1000)
        path.parent.mkdir(parents=True, exist_ok=True)
        visit.page.screenshot(path=path)


if __name__ == "__main__":
    screenshot(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
