"""The HTML report in Chromium: fast with 100,000 tokens, filters, no errors, hostile texts inert."""

import json
import pathlib
import subprocess
import sys

import pytest
from conftest import ROOT, repository

sys.path.insert(0, str(ROOT / "scripts"))

from browser.chromium import Chromium  # noqa: E402


@pytest.fixture
def page(sweeper, tmp_path):
    """Returns a function that writes the report of repositories, and a browser."""

    def write(repositories):
        sweeper.run(repositories)
        path = tmp_path / "report.html"
        done = sweeper.execute("report", "--output", path)
        assert done.returncode == 0, done.stderr
        return path

    with Chromium() as browser:
        browser.view(1280, 900, "light")
        yield write, browser


def problems(browser):
    """Returns errors and violations of the policy in the page."""
    return [it for it in browser.events if it["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]


def test_filters_search_and_details_work(page, tmp_path):
    write, browser = page
    browser.open(write([repository(tmp_path / f"r{at}", seeds=[at, 99]) for at in range(3)]))
    count = "document.querySelectorAll('details.token').length"
    assert browser.evaluate(count) == 4
    assert browser.evaluate("document.getElementById('status').textContent") == "4 tokens"
    browser.evaluate(
        "(() => { const it = document.getElementById('repository'); it.selectedIndex = 1;"
        " it.dispatchEvent(new Event('change')); })()"
    )
    assert browser.evaluate(count) == 2
    browser.evaluate("document.getElementById('reset').click()")
    browser.evaluate("document.querySelector('details.token').open = true")
    assert "4 leaked tokens" in browser.evaluate("document.title")
    assert problems(browser) == []


def test_texts_of_repositories_are_inert(page, tmp_path):
    write, browser = page
    attack = "</script><img src=x onerror=document.title='owned'>"
    folder = repository(tmp_path / "r&<b>x", seeds=[1])
    (folder / "settings-1.env").rename(folder / "a'\"<img src=x onerror=document.title='owned'>.env")
    environment = ["-c", f"user.name={attack}", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *environment, "-C", folder, "add", "."], check=True)
    subprocess.run(["git", *environment, "-C", folder, "commit", "-qm", attack], check=True)
    browser.open(write([folder]))
    browser.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
    assert "owned" not in browser.evaluate("document.title")
    assert browser.evaluate("document.querySelectorAll('img, b.x').length") == 0
    assert problems(browser) == []


def test_a_hundred_thousand_tokens_are_shown_in_pages(page, tmp_path):
    write, browser = page
    path = write([repository(tmp_path / "r", seeds=[1])])
    text = path.read_text()
    start = text.index('id="data">') + len('id="data">')
    end = text.index("</script>", start)
    data = json.loads(text[start:end])
    # The columns with an entry for each token.
    for name, column in data.items():
        if name not in ("repositories", "kinds", "texts", "commits", "urls"):
            assert len(column) == 1, name
            data[name] = column * 100_000
    data["fingerprints"] = [f"{at:032x}" for at in range(100_000)]
    content = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    assert len(content) < 16_000_000
    pathlib.Path(path).write_text(text[:start] + content + text[end:])
    browser.open(path)
    assert browser.evaluate("document.getElementById('status').textContent") == "100,000 tokens"
    assert browser.evaluate("document.querySelectorAll('details.token').length") == 100
    assert browser.evaluate("document.getElementById('position').textContent") == "1–100 of 100,000"
    # Two seconds on a machine without other load.
    ready = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    assert browser.evaluate(ready) < 8_000
    browser.evaluate("document.getElementById('next').click()")
    assert browser.evaluate("document.getElementById('position').textContent") == "101–200 of 100,000"
    assert problems(browser) == []
