"""The planner's pages in a real Chromium: how soon the queue can be worked on, how fast it answers, what it weighs.

Times are taken inside the page, from the browser's own stamp of the input to the frame after the change was drawn, so that
neither this process nor its talk with the browser is counted.
"""

import gzip
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Page, Response, sync_playwright

from lab.bench.machine import percentiles

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PATIENCE_MS = 60_000
LOADS, SCROLLS, ECHOES = 5, 40, 100
# What a planner narrows the list down to, one after the other: the chip, and the reason it leaves in the address.
CHIPS = (("Low confidence", "low_confidence"), ("All", None), ("New item", "new_item"), ("All", None)) * 3
# Each of these chips leaves one line in so many.
NARROWING = 4
AMEND = ("e", "ArrowUp", "Enter", "ArrowDown", "Enter")
REJECT = ("r", "2", "Enter")
Say = Callable[[str], None]

# Runs in the page. `painted` resolves in the frame behind the one that draws what was changed up to now.
INSTRUMENTS = """
window.bench = {
  painted: () => new Promise((done) => requestAnimationFrame(() => { const channel = new MessageChannel(); channel.port1.onmessage = () => done(performance.now()); channel.port2.postMessage(0); })),
  until: (holds) => new Promise((done) => {
    if (holds()) { window.bench.painted().then(done); return; }
    const watch = new MutationObserver(() => { if (holds()) { watch.disconnect(); window.bench.painted().then(done); } });
    watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  }),
  active: () => document.querySelector(".canvas .row.active .c-item b")?.textContent ?? "",
  // From the next press of `key` until `holds`: milliseconds, in bench.took.
  time: (kind, holds) => { window.bench.took = null; addEventListener(kind, (event) => { const from = event.timeStamp; window.bench.until(holds).then((at) => { window.bench.took = at - from; }); }, { once: true, capture: true }); },
};
window.bench.usable = null;
document.addEventListener("DOMContentLoaded", () => window.bench.until(() => document.querySelector(".canvas .row.line.active [tabindex='0']") && document.querySelector("#foot .hint")).then((at) => { window.bench.usable = at; }));
"""


@dataclass
class Weight:
    """Bytes of what a page loads before it can be used: as sent, and as a proxy would send them (gzip)."""

    sent: dict[str, int] = field(default_factory=dict)
    packed: dict[str, int] = field(default_factory=dict)

    def add(self, response: Response) -> None:
        """Count one answer; the same address counts once, as in a browser's cache."""
        kind = response.request.resource_type
        if response.status != 200 or kind in ("fetch", "eventsource", "xhr"):
            return
        body = response.body()
        self.sent[response.url], self.packed[response.url] = len(body), len(gzip.compress(body, 6))


def chromium() -> str | None:
    """Where this machine's Chromium is, or None."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def measure(url: str, token: tuple[str, str], lines: int, reviewed: int, say: Say) -> dict[str, Any]:
    """All figures of the queue page; `token` is the session cookie of a planner. `lines` must wait in the queue."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        try:
            context = browser.new_context(viewport={"width": 1480, "height": 900}, locale="en-GB")
            context.set_default_timeout(PATIENCE_MS)
            context.add_cookies([{"name": token[0], "value": token[1], "url": url}])
            context.add_init_script(INSTRUMENTS)
            result = loading(context, url, lines, say)
            page = context.new_page()
            page.goto(f"{url}/queue")
            _all_there(page, lines)
            result |= {"scroll": scrolling(page), "filter": filtering(page, lines), "echo": echoing(page)}
            say(f"scroll {result['scroll']}, filter {result['filter']}, echo {result['echo']}")
            result["review"] = reviewing(page, reviewed)
            return result
        finally:
            browser.close()


def _all_there(page: Page, lines: int) -> None:
    """Wait until every line is loaded, the last one too, and stand on the first with its derivation in the panel."""
    page.wait_for_function("() => document.querySelector('#panel ol.steps')")
    page.evaluate(
        """async (lines) => {
          const view = document.querySelector(".viewport");
          await window.bench.until(() => {
            view.scrollTop = view.scrollHeight;
            return document.querySelector(`.canvas .row.line[data-index="${lines - 1}"] b`);
          });
          view.scrollTop = 0;
          await window.bench.until(() => document.querySelector('.canvas .row.line[data-index="0"] b'));
        }""",
        lines,
    )


def loading(context: BrowserContext, url: str, lines: int, say: Say) -> dict[str, Any]:
    """Milliseconds from the start of the navigation until a line is drawn, active and can be decided; first and later."""
    weight, usable, whole = Weight(), [], []
    for number in range(LOADS + 1):
        page = context.new_page()
        if not number:
            page.on("response", weight.add)
        page.goto(f"{url}/queue")
        page.wait_for_function("() => window.bench.usable !== null")
        usable.append(float(page.evaluate("window.bench.usable")))
        _all_there(page, lines)
        whole.append(float(page.evaluate("performance.now()")))
        page.close()
    say(f"queue usable after {usable[0]:.0f} ms, then {statistics.median(usable[1:]):.0f} ms")
    return {
        "usable": {"first_ms": round(usable[0]), "later_ms": percentiles(usable[1:])},
        "all_lines_ms": round(statistics.median(whole)),
        "page_kb": {
            "sent": round(sum(weight.sent.values()) / 1000, 1),
            "compressed": round(sum(weight.packed.values()) / 1000, 1),
            "files": len(weight.sent),
        },
    }


def scrolling(page: Page) -> dict[str, float]:
    """Milliseconds from a jump in the list until its rows are drawn, at places spread over the whole list."""
    took = page.evaluate(
        """async (count) => {
          const view = document.querySelector(".viewport"), took = [];
          const row = document.querySelector(".canvas .row").offsetHeight, end = view.scrollHeight - view.clientHeight;
          for (let step = 1; step <= count; step += 1) {
            const top = Math.floor(end * ((step * 0.381966) % 1)), from = performance.now();
            view.scrollTop = top;
            const index = String(Math.ceil(top / row) + 1);
            await window.bench.until(() => document.querySelector(`.canvas .row.line[data-index="${index}"] b`));
            took.push(performance.now() - from);
          }
          view.scrollTop = 0;
          return took;
        }""",
        SCROLLS,
    )
    return percentiles(took)


def filtering(page: Page, lines: int) -> dict[str, float]:
    """Milliseconds from the press of a filter until its first lines are drawn."""
    took = []
    for chip, reason in CHIPS:
        page.evaluate(
            """(reason) => window.bench.time("pointerdown", () => new URLSearchParams(location.search).get("reason") === reason
              && document.querySelector("#grid-frame[aria-busy=false] .row.line"))""",
            reason,
        )
        page.locator("#chips .chip", has_text=chip).first.click()
        took.append(_took(page))
        _all_there(page, lines if reason is None else lines // NARROWING)
    return percentiles(took)


def _took(page: Page) -> float:
    page.wait_for_function("() => window.bench.took !== null")
    return float(page.evaluate("window.bench.took"))


def echoing(page: Page) -> dict[str, float]:
    """Milliseconds from the key that approves until the line says so and the next one is active."""
    took = []
    page.locator(".canvas .row.active [tabindex='0']").focus()
    for _ in range(ECHOES):
        page.evaluate(
            "() => { const before = window.bench.active(); window.bench.time('keydown', () => window.bench.active() !== before); }"
        )
        page.keyboard.press("a")
        took.append(_took(page))
    return percentiles(took)


def reviewing(page: Page, count: int) -> dict[str, Any]:
    """Seconds a line takes a script that works as a person would: its argument is on screen before it is decided.

    Every tenth line is amended by a pack, every tenth rejected with a reason, the others are approved; no mouse.
    """
    took, names = [], []
    page.locator(".canvas .row.active [tabindex='0']").focus()
    for number in range(count):
        started = time.perf_counter()
        name = page.locator(".canvas .row.active .c-item b").inner_text()
        page.wait_for_function(
            "(name) => document.querySelector('#panel h2')?.textContent === name && document.querySelector('#panel ol.steps')",
            arg=name,
        )
        _press(page, AMEND if number % 10 == 4 else REJECT if number % 10 == 9 else ("a",))
        page.wait_for_function(
            "(name) => window.bench.active() !== name && !document.querySelector('dialog')", arg=name
        )
        names.append(name)
        took.append(time.perf_counter() - started)
    page.wait_for_function("() => !document.querySelector('.canvas .tag.a')?.textContent.includes('…')")
    return {
        "lines": len(set(names)),
        "seconds": round(sum(took), 1),
        "median_seconds": round(statistics.median(took), 3),
        "p95_seconds": round(sorted(took)[int(len(took) * 0.95)], 3),
    }


def _press(page: Page, keys: Sequence[str]) -> None:
    for key in keys:
        page.keyboard.press(key)
        if key == "r":
            page.wait_for_function("() => document.querySelector('dialog[open]')")
        if key == "e":
            page.wait_for_function("() => document.querySelector('.stepper select:not([hidden])')")
