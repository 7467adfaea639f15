"""Scans real repositories to HTML and checks the pages in Chromium.

    python -m browser --ddpatrol PROGRAM [--pictures FOLDER]

Checks on desktop and phone, light and dark: nothing is wider than the window, the console and the
content security policy report nothing, no request leaves the file, filters, search, sorting and pages work,
the whole list is readable without the script, the DOM stays small with 10,000 findings, no script of the
repository runs, and headings, landmarks and contrast are correct.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from browser.chromium import Chromium
from browser.demo import Demo, Issuer

VIEWS = {
    "light": (1280, 900, "light"),
    "dark": (1280, 900, "dark"),
    "phone": (390, 844, "light"),
    "phone-dark": (390, 844, "dark"),
    "narrow": (320, 640, "light"),
}
SEEN = "[...document.querySelectorAll('.finding')].filter(it => it.checkVisibility()).length"
FOREIGN = 'a:not([href^="#"], [href^="https://"][rel="noopener"])'
# Maximum number of elements in the DOM, however many findings there are.
MAX_ELEMENTS = 15_000
# The WCAG 2.2 contrast ratio between each text and its background.
CONTRAST = """(() => {
  const parts = (it) => it.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((it) => it / 255)
    .map((it) => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4)
    .reduce((sum, it, at) => sum + it * [0.2126, 0.7152, 0.0722][at], 0);
  const back = (it) => {
    for (; it; it = it.parentElement) {
      const color = getComputedStyle(it).backgroundColor;
      if (parts(color)[3] !== 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const faults = [];
  for (const it of document.querySelectorAll('body *')) {
    const own = [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || it.closest('script, .skip') || !it.checkVisibility()) continue;
    const [one, two] = [light(parts(getComputedStyle(it).color)), light(parts(back(it)))];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (ratio < 4.5) faults.push(`${it.tagName}.${it.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(faults)];
})()"""


class Check:
    """Counts checks and faults."""

    def __init__(self) -> None:
        self.faults = 0
        self.done = 0

    def that(self, holds: bool, fault: str) -> None:
        self.done += 1
        if not holds:
            self.faults += 1
            print(f"FAULT: {fault}", file=sys.stderr)


def page(program: Path, folder: Path, name: str, *more: str) -> Path:
    """Scans a folder and writes the page next to it."""
    file = folder.with_name(f"{name}.html")
    line = [program, "scan", "--report", f"html={file}", "--quiet", *more]
    ran = subprocess.run(line, cwd=folder, check=False, capture_output=True, text=True)
    if not file.exists():
        raise SystemExit(f"{name}: {ran.stderr}")
    return file


def quiet(browser: Chromium, check: Check, name: str) -> None:
    """Checks that the page logged nothing and requested nothing but itself."""
    for event in browser.events:
        method, params = event["method"], event.get("params", {})
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            check.that(False, f"{name}: {method} {params}")
        if method == "Page.javascriptDialogOpening":
            check.that(False, f"{name}: a script of the repository runs")
    requested = [
        it["params"]["request"]["url"]
        for it in browser.events
        if it["method"] == "Network.requestWillBeSent"
    ]
    check.that(len(requested) == 1, f"{name}: expected one request: {requested}")


def check_views(check: Check, file: Path, pictures: Path | None) -> None:
    """Checks the page in every size and colour scheme."""
    for view in VIEWS:
        # A new browser for each view: a page of megabytes may hang when the window changes.
        with Chromium() as browser:
            check_view(view, browser, check, file)
            if pictures and file.stem != "many":
                browser.open(file)
                browser.screenshot(pictures / f"{file.stem}-{view}.png")


def check_view(view: str, browser: Chromium, check: Check, file: Path) -> None:
    """Checks the page in one size and colour scheme."""
    width, height, scheme = VIEWS[view]
    name = f"{file.stem} {view}"
    browser.view(width, height, scheme)
    browser.open(file)
    wide = browser.evaluate("document.documentElement.scrollWidth")
    check.that(wide <= width, f"{name}: the page is {wide} pixels wide")
    if file.stem != "many":
        faults = browser.evaluate(CONTRAST)
        check.that(faults == [], f"{name}: too little contrast: {faults}")
    few = "[...document.querySelectorAll('details')].slice(0, 300).forEach"
    browser.evaluate(f"{few}((it) => {{ it.open = true; }})")
    wide = browser.evaluate("document.documentElement.scrollWidth")
    check.that(wide <= width, f"{name}: unfolded, the page is {wide} pixels wide")
    quiet(browser, check, name)


def is_sound(browser: Chromium, check: Check, file: Path) -> None:
    """Checks landmarks, headings and names, and that no scanned text became an element."""
    browser.open(file)
    count = "document.querySelectorAll('{}').length".format
    for selector, expected in [("main", 1), ("h1", 1), ("header.top", 1), ("footer", 1), ("script", 1)]:
        found = browser.evaluate(count(selector))
        check.that(found == expected, f"{file.stem}: {found} {selector}")
    for selector in ("img", "iframe", "b", "object", "link", "[style]", "[onerror]", FOREIGN):
        check.that(browser.evaluate(count(selector)) == 0, f"{file.stem}: unexpected {selector}")
    levels = browser.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(it => +it.tagName[1])")
    steps = all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    check.that(steps and levels[0] == 1, f"{file.stem}: headings skip a level: {levels}")
    double = "(() => { const ids = [...document.querySelectorAll('[id]')].map(it => it.id);"
    double += " return ids.length - new Set(ids).size; })()"
    check.that(browser.evaluate(double) == 0, f"{file.stem}: an id occurs twice")
    # Findings of other pages are not in the DOM.
    broken = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(it => !/^#f\\d+$/.test(it.hash)"
    broken += " && !document.getElementById(it.hash.slice(1)))"
    check.that(browser.evaluate(f"{broken}.length") == 0, f"{file.stem}: a link leads nowhere")
    unnamed = "[...document.querySelectorAll('input, select')].filter(it => !it.labels.length).length"
    check.that(browser.evaluate(unnamed) == 0, f"{file.stem}: a button has no name")
    quiet(browser, check, f"{file.stem} sound")


def choose(browser: Chromium, id: str, value: str) -> None:
    """Chooses a value of a selection or types it into the search, and waits until the list shows it."""
    browser.evaluate(
        f"(() => {{ const it = document.getElementById('{id}'); it.value = '{value}';"
        " it.dispatchEvent(new Event('input', { bubbles: true }));"
        " it.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )
    pause = "new Promise((it) => setTimeout(it, 400))"
    browser.call("Runtime.evaluate", expression=pause, awaitPromise=True)


def filters(browser: Chromium, check: Check, file: Path) -> None:
    """Checks every filter against the number on its label, the search and the orders."""
    browser.open(file)
    total = browser.evaluate(SEEN)
    states = "[...document.querySelectorAll('input[name=state]')]"
    for at in range(browser.evaluate(f"{states}.length")):
        browser.evaluate(f"{states}[{at}].click()")
        amount = browser.evaluate(f"{states}[{at}].labels[0].querySelector('.amount').textContent")
        seen = browser.evaluate(SEEN)
        check.that(seen == int(amount), f"{file.stem}: state {at} says {amount} and shows {seen}")
    browser.evaluate(f"{states}[0].click()")
    for id in ("where", "rule"):
        options = f"[...document.querySelectorAll('#{id} option')].slice(1).map((it) => [it.value, it.text])"
        found = browser.evaluate(options)
        check.that(len(found) > 1, f"{file.stem}: no options of {id}")
        for value, text in found:
            choose(browser, id, value)
            amount = int(text.rsplit("(", 1)[1].rstrip(")"))
            seen = browser.evaluate(SEEN)
            check.that(seen == amount, f"{file.stem}: {text} shows {seen}")
        choose(browser, id, "")
    paths = "[...document.querySelectorAll('.finding .path')].map((it) => it.textContent)"
    for order in ("newest", "oldest", "path", "rule", "author", "urgency"):
        choose(browser, "order", order)
        check.that(browser.evaluate(SEEN) == total, f"{file.stem}: order {order} loses findings")
        if order == "path":
            found = browser.evaluate(paths)
            check.that(found == sorted(found), f"{file.stem}: not sorted by path: {found}")
    choose(browser, "search", "npmrc")
    check.that(browser.evaluate(SEEN) == 1, f"{file.stem}: the search shows {browser.evaluate(SEEN)}")
    browser.evaluate("document.querySelector('.finding summary').click()")
    opened = browser.evaluate("document.querySelector('.finding .body').checkVisibility()")
    check.that(opened, f"{file.stem}: a finding does not unfold")
    choose(browser, "search", "no such text")
    check.that(browser.evaluate(SEEN) == 0, f"{file.stem}: the search shows what does not match")
    browser.evaluate("document.getElementById('reset').click()")
    check.that(browser.evaluate(SEEN) == total, f"{file.stem}: reset does not show all findings")
    quiet(browser, check, f"{file.stem} filters")


def pages_turn(browser: Chromium, check: Check, file: Path, total: int) -> None:
    """Checks that the DOM stays small, that pages turn, and that links lead to findings of other pages."""
    elements = "document.querySelectorAll('*').length"
    browser.open(file)
    for step in ("document.getElementById('next').click()", "location.hash = '#f2001'"):
        found = browser.evaluate(elements)
        check.that(found < MAX_ELEMENTS, f"{file.stem}: {found} elements")
        check.that(browser.evaluate(SEEN) == 100, f"{file.stem}: {browser.evaluate(SEEN)} findings")
        browser.evaluate(step)
    browser.call("Runtime.evaluate", expression="new Promise((it) => setTimeout(it, 400))", awaitPromise=True)
    opened = browser.evaluate("document.getElementById('f2001')?.open")
    check.that(opened is True, f"{file.stem}: a link does not lead to its finding")
    choose(browser, "order", "oldest")
    check.that(browser.evaluate(SEEN) == 100, f"{file.stem}: sorted, {browser.evaluate(SEEN)} findings")
    quiet(browser, check, f"{file.stem} pages")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(file)
    found = browser.evaluate("document.querySelectorAll('.finding').length")
    check.that(found == total, f"{file.stem}: without the script, {found} findings")
    for id in ("toolbar", "pager"):
        seen = browser.evaluate(f"document.getElementById('{id}').checkVisibility()")
        check.that(not seen, f"{file.stem}: {id} is visible without the script")
    browser.evaluate("document.querySelector('.finding summary').click()")
    opened = browser.evaluate("document.querySelector('.finding .body').checkVisibility()")
    check.that(opened, f"{file.stem}: a finding does not unfold without the script")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ddpatrol", type=Path, required=True, help="the program")
    parser.add_argument("--pictures", type=Path, help="a folder for screenshots")
    arguments = parser.parse_args()
    program = arguments.ddpatrol.resolve()
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    check = Check()
    with tempfile.TemporaryDirectory(prefix="ddpatrol-pages-") as temporary:
        root = Path(temporary)
        demo = Demo(root / "shop")
        demo.fill()
        issuer = Issuer(demo.live)
        asking = ["--verify", "--verify-pause", "2", "--issuer", issuer.url, "--github-api", issuer.url]
        (root / "empty").mkdir()
        much = Demo(root / "many")
        much.fill_much(200, 50)
        few = Demo(root / "few")
        few.commit({"a": f"{few.token()}\n"}, "One")
        pages = {
            "shop": page(program, demo.folder, "shop", *asking),
            "partial": page(program, demo.folder, "partial", ".", "no/such/<i>folder"),
            "empty": page(program, root / "empty", "empty"),
            "one": page(program, few.folder, "one"),
            "many": page(program, much.folder, "many"),
        }
        for name, file in pages.items():
            began = time.monotonic()
            with Chromium() as browser:
                is_sound(browser, check, file)
            took = time.monotonic() - began
            print(f"{name}: {file.stat().st_size:,} bytes, loaded and counted in {took:.1f} s", flush=True)
            check_views(check, file, arguments.pictures)
        with Chromium() as browser:
            filters(browser, check, pages["shop"])
        with Chromium() as browser:
            pages_turn(browser, check, pages["many"], 10_000)
    print(f"{check.done} checks, {check.faults} faults")
    sys.exit(bool(check.faults))


if __name__ == "__main__":
    main()
