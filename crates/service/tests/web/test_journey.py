"""The journey of a new administrator: from the first link to a leaked token that is revoked.

With DDPATROL_WEB_PICTURES=FOLDER, each step leaves a screenshot there, for the documentation.
"""

import os
import re
import subprocess
import urllib.request
from pathlib import Path

from playwright.sync_api import expect

PICTURES = os.environ.get("DDPATROL_WEB_PICTURES")


def picture(page, name):
    """Writes a screenshot of a step."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES, f"{name}.png"))


def git(folder, *arguments):
    """Runs git with a fixed author."""
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


def test_a_token_is_created_used_leaked_and_revoked(service, person, tmp_path):
    one = person(viewport={"width": 1280, "height": 800})
    page = one.page
    page.goto(service.link())
    picture(page, "sign-in")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Access Tokens", exact=True)).to_be_visible()

    page.get_by_role("link", name="New Access Token").click()
    page.get_by_label("Name", exact=True).fill("deploy dashboards")
    page.get_by_label("90 days").check()
    page.get_by_label("Filter", exact=True).fill("dashboards")
    page.get_by_label(re.compile("^dashboards_read")).check()
    page.get_by_label(re.compile("^dashboards_write")).check()
    page.get_by_label("Filter", exact=True).fill("")
    expect(page.locator("[data-summary=scopes]")).to_have_text("2 (1 with write access)")
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    picture(page, "new-token")
    page.get_by_role("button", name="Create token").click()

    expect(page.get_by_role("heading", name="Token created")).to_be_visible()
    token = page.get_by_label("Access token", exact=True).input_value()
    picture(page, "token-created")
    one.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token

    # The requests that the page shows work as they are, with any scopes.
    commands = page.locator("pre").all_inner_texts()
    assert len(commands) == 2
    for command in commands:
        done = subprocess.run(["sh", "-c", command.replace("curl ", "curl -sf --noproxy '*' ")], capture_output=True, check=True)
        assert b'"type":"users"' in done.stdout
    page.get_by_role("link", name="Done").click()
    row = page.get_by_role("row", name=re.compile("deploy dashboards"))
    # Uses are written in batches, within a second.
    for _ in range(20):
        if "just now" in row.inner_text():
            break
        page.wait_for_timeout(200)
        page.reload()
    expect(row.get_by_text("just now")).to_be_visible()
    picture(page, "used")

    # The token is committed by mistake. The scanner finds it and reports it to the service.
    repository = tmp_path / "shop"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    (repository / "deploy.env").write_text(f"DD_TOKEN={token}\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Deploy the dashboards")
    scan = subprocess.run(
        [os.environ["DDPATROL"], "scan", "--revoke", "--yes", "--issuer", service.url, repository.name],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={k: v for k, v in os.environ.items() if "proxy" not in k.lower()},
    )
    assert "revoked" in scan.stdout + scan.stderr, scan.stdout + scan.stderr
    assert service.call("/api/v2/validate_keys", token)[0] == 401

    page.get_by_role("link", name="Leaks").first.click()
    row = page.get_by_role("row", name=re.compile("deploy dashboards"))
    expect(row.get_by_text("revoked")).to_be_visible()
    expect(row.get_by_text("at once")).to_be_visible()
    picture(page, "leaks")
    row.get_by_role("button", name=re.compile("^Acknowledge")).click()
    expect(page.get_by_text("The leak is acknowledged.")).to_be_visible()

    page.get_by_role("link", name="Audit Trail").first.click()
    page.get_by_role("link", name="Personal Access Token").click()
    expect(page.get_by_text("Token used").last).to_be_visible()
    page.locator(".events summary").first.click()
    picture(page, "audit-trail")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export JSON").click()
    assert download.value.suggested_filename == "audit-trail.json"


def test_the_secret_is_absent_after_reload_and_back(service, person):
    one = person()
    page = one.sign_in()
    page.goto("/tokens/new")
    page.get_by_label("Name", exact=True).fill("seen once")
    page.get_by_label(re.compile("^dashboards_read")).check()
    page.get_by_role("button", name="Create token").click()
    token = page.get_by_label("Access token", exact=True).input_value()
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    page.get_by_label("Access token", exact=True).click()
    page.get_by_role("link", name="Done").click()
    page.wait_for_url("**/tokens")
    assert dialogs == ["beforeunload"], "leaving without copying asks"
    page.go_back()
    assert token not in page.content()
    page.goto("/tokens?q=seen")
    assert page.locator("tbody tr").count() == 1
    expect(page.get_by_role("link", name="seen once", exact=True)).to_be_visible()


def test_a_token_is_edited_replaced_and_revoked(service, person):
    service.issue(name="to change", scopes=["dashboards_read"])
    page = person().sign_in()
    page.goto("/tokens?q=to+change")
    page.get_by_role("link", name="Edit to change").click()
    page.get_by_label("Name", exact=True).fill("is changed")
    page.get_by_label(re.compile("^monitors_read")).check()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("The changes are saved.")).to_be_visible()
    expect(page.get_by_text("monitors_read")).to_be_visible()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The token is revoked.")).to_be_visible()
    page.goto("/tokens?q=is+changed&state=revoked")
    expect(page.locator("tbody").get_by_text("revoked", exact=True).first).to_be_visible()


def test_many_tokens_are_selected_and_revoked(service, person):
    for number in range(3):
        service.issue(name=f"batch {number}", scopes=["dashboards_read"])
    page = person().sign_in()
    page.goto("/organization/tokens?q=batch")
    button = page.get_by_role("button", name="Revoke selected…")
    expect(button).to_be_disabled()
    page.get_by_label("Select all on this page").check()
    expect(page.get_by_text("3 tokens selected")).to_be_visible()
    page.get_by_label("Select batch 1").uncheck()
    button.click()
    expect(page.get_by_role("heading", name="Revoke 2 tokens?")).to_be_visible()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The selected tokens are revoked.")).to_be_visible()
    page.goto("/organization/tokens?q=batch")
    assert page.locator("tbody tr").count() == 1


def test_people_are_added_changed_and_disabled(service, person):
    page = person().sign_in()
    page.goto("/organization/users")
    page.get_by_role("link", name="Add user").click()
    page.get_by_label("Email address").fill("eva@example.com")
    page.get_by_label("Name", exact=True).fill("Eva")
    page.get_by_role("button", name="Add user").click()
    expect(page.get_by_text("The user is added.")).to_be_visible()
    page.get_by_label(re.compile("Read the Audit Trail")).check()
    page.get_by_role("button", name="Save permissions").click()
    expect(page.get_by_text("The permissions are changed.")).to_be_visible()
    page.get_by_role("button", name="Create sign-in link").click()
    link = page.get_by_label("Link").input_value()
    page.get_by_role("button", name="Copy").click()
    page.get_by_label("Link").press("Control+c")
    guest = person()
    guest.page.goto(link)
    guest.page.get_by_role("button", name="Sign in").click()
    expect(guest.page.get_by_role("link", name="Audit Trail").first).to_be_visible()
    page.get_by_role("link", name="Disable").click()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("The user is disabled.")).to_be_visible()
    guest.page.goto("/tokens")
    expect(guest.page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("link", name="Enable").click()
    page.get_by_role("button", name="Enable").click()
    expect(page.get_by_text("The user is enabled.")).to_be_visible()


def test_a_token_revoked_in_one_browser_ends_the_session_of_the_other(service, person):
    token = service.issue(name="browser token")
    other = person().page
    other.goto("/sign-in")
    other.get_by_label("Access token").fill(token)
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_text("with the token browser token")).to_be_visible()
    page = person().sign_in()
    page.goto("/sessions")
    assert page.locator("tbody tr").count() >= 2
    page.goto("/tokens?q=browser+token")
    page.get_by_role("link", name="Revoke browser token").click()
    page.get_by_role("button", name="Revoke").click()
    other.reload()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_new_events_are_followed(service, person):
    page = person().sign_in()
    page.goto("/security/audit?event=user.created&range=1h")
    page.get_by_role("button", name="Follow").click()
    expect(page.get_by_text("Following")).to_be_visible()
    service.add("followed@example.com")
    expect(page.get_by_text("followed@example.com").first).to_be_visible(timeout=12_000)


def test_the_answer_without_session_and_files_are_not_cached(service, person):
    page = person().sign_in()
    answer = page.request.get("/tokens")
    assert answer.headers["cache-control"] == "no-store"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(service.url + "/tokens") as signed_out:
        assert "/sign-in" in signed_out.url
