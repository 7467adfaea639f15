"""Accessibility and hostile content: axe-core on every page, the keyboard alone, no JavaScript, narrow
windows, and text that must never become markup or script.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

import crowd
import pictures
from conftest import Person
from databases import KINDS, required
from service import Service

SCHEMES = ["light", "dark"]


@pytest.fixture(scope="module")
def crowded(service):
    """A service with people, tokens, leaks and hostile names."""
    crowd.fill(service)
    return service


def faults_of(page, axe):
    """Returns the violations that axe-core finds on a page."""
    # The content policy of the pages does not allow a script element; the debugger may evaluate.
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})")
    return [(it["id"], [node["html"][:200] for node in it["nodes"]][:3]) for it in found["violations"]]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_page_is_accessible(crowded, person, axe, scheme):
    one = person(color_scheme=scheme)
    page = one.page
    faults = {}

    def check(page, axe, name):
        if found := faults_of(page, axe):
            faults[name] = found

    page.goto("/sign-in")
    check(page, axe, "sign-in")
    page.goto(crowded.link())
    check(page, axe, "link")
    page.goto("/sign-in/link?code=x")
    check(page, axe, "invalid link")
    one.sign_in()
    for name, path in pictures.pages(page).items():
        page.goto(path)
        check(page, axe, name)
    page.goto("/security/audit")
    page.locator(".events summary").first.click()
    check(page, axe, "event")
    page.goto("/tokens/new")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text("Choose at least one scope.")).to_be_visible()
    check(page, axe, "problems")
    page.get_by_label("Name", exact=True).fill("for axe")
    page.get_by_label(re.compile("^dashboards_read")).check()
    page.get_by_role("button", name="Create token").click()
    check(page, axe, "created")
    page.get_by_role("button", name="Copy").click()
    assert not faults


@pytest.mark.skipif(not os.environ.get("DDPATROL_WEB_GALLERY"), reason="writes pictures to DDPATROL_WEB_GALLERY")
@pytest.mark.parametrize("view", pictures.views())
def test_gallery(crowded, person, view):
    folder = Path(os.environ["DDPATROL_WEB_GALLERY"])
    folder.mkdir(parents=True, exist_ok=True)
    pictures.shoot(person(**pictures.views()[view]), folder, view)


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window(crowded, person, width):
    one = person(viewport={"width": width, "height": 844})
    page = one.sign_in()
    for name, path in pictures.pages(page).items():
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, name


OUTSIDE = """() => [...document.querySelectorAll('table.rows td > *')].filter(it => {
    const [inner, outer] = [it, it.closest('table')].map(it => it.getBoundingClientRect());
    return inner.right > outer.right || inner.left < outer.left;
}).map(it => it.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("width", [390, 960, 1280])
def test_the_buttons_of_a_live_leak_are_within_the_table(chromium, new_database, width):
    service = Service(required("DDPATROLD"), new_database(KINDS[0]), "--on-leak", "flag")
    try:
        service.add("a.colleague.with.a.long.address@example.com", "user_app_keys")
        service.leak(service.issue("a.colleague.with.a.long.address@example.com", scopes=["dashboards_read"]))
        service.admin("user", "disable", "a.colleague.with.a.long.address@example.com")
        one = Person(chromium, service, viewport={"width": width, "height": 844})
        page = one.sign_in()
        for path in ["/security/leaks", "/organization/tokens"]:
            page.goto(path)
            expect(page.get_by_role("link", name=re.compile("^Revoke")).first).to_be_visible()
            assert page.evaluate(OUTSIDE) == [], path
        one.context.close()
        assert not one.faults, one.faults
    finally:
        service.stop()


def test_hostile_text_never_becomes_markup(crowded, person):
    one = person()
    page = one.sign_in()
    page.on("dialog", lambda dialog: one.faults.append(f"dialog: {dialog.message}"))
    for path in pictures.pages(page).values():
        page.goto(path)
        assert page.locator("main img, main script, main svg[onload], [onerror], [onclick]").count() == 0, path
    page.goto("/tokens")
    for name in crowd.HOSTILE:
        expect(page.locator("td .name a", has_text=name).first).to_be_visible()
    for name in crowd.HOSTILE:
        for path in ["/tokens", "/organization/tokens", "/organization/users"]:
            page.goto(f"{path}?q={'%22'}")
        page.goto("/security/audit?" + "&".join(f"{key}=%22%3E%3Cscript%3Ealert(1)%3C/script%3E" for key in ["q", "person", "token", "address"]))
        page.goto("/sign-in?next=javascript:alert(1)")
    page.goto("/security/leaks")
    links = page.locator("td a[target=_blank]").evaluate_all("links => links.map(it => [it.protocol, it.rel])")
    assert links == [["https:", "noreferrer noopener"]]


def test_a_name_from_the_address_is_text(crowded, person):
    page = person().sign_in()
    for email, message in [
        ("\"><img src=x onerror=alert(1)>@example.com", "must be an email address"),
        ("a'b&lt;i&gt@example.com", "must be an email address"),
        ("a'b&amp@example.com", "The user is added."),
    ]:
        page.goto("/organization/users/new")
        page.get_by_label("Email address").fill(email)
        page.evaluate("document.querySelector('form.panel').noValidate = true")
        page.get_by_label("Name", exact=True).fill("<svg onload=alert(2)>")
        page.get_by_role("button", name="Add user").click()
        expect(page.get_by_text(message)).to_be_visible()
        assert page.locator("main svg, main img").count() == 0


def test_the_keyboard_suffices(crowded, person):
    one = person()
    page = one.page
    page.goto(crowded.link())
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/tokens")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    press_until(page, "New Access Token")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tokens/new")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    press_until(page, field="name")
    page.keyboard.type("by keyboard")
    press_until(page, field="lifetime")
    page.keyboard.press("ArrowRight")
    press_until(page, field="scope-filter")
    page.keyboard.type("dashboards_read")
    press_until(page, field="scope")
    page.keyboard.press("Space")
    press_until(page, "Create token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Token created")).to_be_visible()
    press_until(page, "Copy")
    one.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.keyboard.press("Enter")
    expect(page.get_by_text("Copied.")).to_be_visible()
    press_until(page, "Revoke")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Revoke this token?")).to_be_visible()
    press_until(page, "Revoke")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The token is revoked.")).to_be_visible()


def press_until(page, text=None, field=None):
    """Presses Tab until the focus is on an element with a text, or on a field. Every stop must be visible."""
    for _ in range(80):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "(() => { const it = document.activeElement, box = it.getBoundingClientRect();"
            " return [it.textContent.trim(), it.name || it.id, box.width > 0 && box.height > 0]; })()"
        )
        assert seen[2] or seen[1] in ("scope", "lifetime"), seen
        if (text and seen[0].endswith(text)) or (field and seen[1] == field):
            return
    raise AssertionError(f"the focus never reached {text or field}")


def test_everything_works_without_javascript(crowded, person):
    one = person(java_script_enabled=False)
    page = one.sign_in()
    page.get_by_role("link", name="New Access Token").click()
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text("Choose at least one scope.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("without script")
    page.get_by_label(re.compile("^dashboards_read")).check()
    page.get_by_role("button", name="Create token").click()
    token = page.get_by_label("Access token", exact=True).input_value()
    assert crowded.call("/api/v2/validate_keys", token)[0] == 200
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Name", exact=True).fill("still without script")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("The changes are saved.")).to_be_visible()
    page.goto("/organization/tokens?q=without+script")
    page.get_by_label("Select still without script").check()
    page.get_by_role("button", name="Revoke selected…").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The selected tokens are revoked.")).to_be_visible()
    page.goto("/security/audit?range=custom")
    page.get_by_label("From (UTC)").fill("2026-01-01T00:00")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("tbody tr").first).to_be_visible()
    page.get_by_text("Token revoked").last.click()
    page.goto("/sessions")
    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()


def test_forms_of_another_site_are_refused(crowded, person):
    one = person()
    page = one.sign_in()
    page.goto("/tokens/new")
    token = page.locator("input[name=form_token]").first.get_attribute("value")
    cookies = one.context.cookies()
    assert [(it["httpOnly"], it["sameSite"]) for it in cookies] == [(True, "Strict")]
    # Another site with the same host name but another port; the cookie is sent to it, too.
    page.route("http://127.0.0.1:9/**", lambda route: route.fulfill(
        content_type="text/html",
        body=f"<form method=post action='{crowded.url}/tokens'><input name=form_token value='{token}'>"
             "<input name=name value=forged><input name=lifetime value=30><input name=scope value=dashboards_read>"
             "<button>Send</button></form>",
    ))
    page.goto("http://127.0.0.1:9/")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The form was not sent from a page of this service.")).to_be_visible()
    page.goto("/tokens?q=forged")
    assert page.locator("tbody tr").count() == 0
