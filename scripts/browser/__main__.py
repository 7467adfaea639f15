"""Scans real repositories to HTML and checks the pages in Chromium.

    python -m browser --ddpatrol PROGRAM [--pictures FOLDER]

Checks on desktop and phone, light and dark: nothing is wider than the window, the console and the
content security policy report nothing, no request leaves the file, filters work with and without the
script, no script of the repository runs, and headings, landmarks and contrast are correct.
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
    for selector in ("img", "iframe", "b", "object", "link", "[style]", "[onerror]", "a:not([href^=\"#\"])"):
        check.that(browser.evaluate(count(selector)) == 0, f"{file.stem}: unexpected {selector}")
    levels = browser.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(it => +it.tagName[1])")
    steps = all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    check.that(steps and levels[0] == 1, f"{file.stem}: headings skip a level: {levels}")
    double = "(() => { const ids = [...document.querySelectorAll('[id]')].map(it => it.id);"
    double += " return ids.length - new Set(ids).size; })()"
    check.that(browser.evaluate(double) == 0, f"{file.stem}: an id occurs twice")
    broken = "[...document.querySelectorAll('a')].filter(it => !document.getElementById(it.hash.slice(1)))"
    check.that(browser.evaluate(f"{broken}.length") == 0, f"{file.stem}: a link leads nowhere")
    unnamed = "[...document.querySelectorAll('input')].filter(it => !it.labels.length).length"
    check.that(browser.evaluate(unnamed) == 0, f"{file.stem}: a button has no name")
    quiet(browser, check, f"{file.stem} sound")


def filters(browser: Chromium, check: Check, file: Path) -> None:
    """Checks every filter against the number on its button, with and without the script."""
    for off in (False, True):
        browser.call("Emulation.setScriptExecutionDisabled", value=off)
        browser.open(file)
        label = f"{file.stem}, script {'off' if off else 'on'}"
        ids = browser.evaluate("[...document.querySelectorAll('input[type=radio]')].map(it => it.id)")
        check.that(len(ids) > 5, f"{label}: {ids}")
        for one in ids:
            group = one.split("-")[0]
            browser.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true; })")
            browser.evaluate(f"document.getElementById('{one}').checked = true")
            amount = f"document.querySelector('label[for={one}] .amount').textContent"
            amount = int(browser.evaluate(amount).replace(",", ""))
            seen = browser.evaluate(SEEN)
            check.that(seen == amount, f"{label}: {one} says {amount} and shows {seen}")
            browser.evaluate(f"document.getElementById('{group}-all').checked = true")
        has_search = browser.evaluate("!!document.querySelector('input[type=search]')")
        check.that(has_search != off, f"{label}: the search is {has_search}")
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    browser.open(file)
    browser.evaluate(
        "(() => { const it = document.querySelector('input[type=search]'); it.value = 'npmrc';"
        " it.dispatchEvent(new Event('input')); })()"
    )
    browser.call("Runtime.evaluate", expression="new Promise(it => setTimeout(it, 300))", awaitPromise=True)
    check.that(browser.evaluate(SEEN) == 1, f"{file.stem}: the search shows {browser.evaluate(SEEN)}")


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
        much.fill_much(100, 50)
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
    print(f"{check.done} checks, {check.faults} faults")
    sys.exit(bool(check.faults))


if __name__ == "__main__":
    main()
