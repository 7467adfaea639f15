"""Writes screenshots of every page at desktop and phone width, light and dark."""

import re
import sys
from pathlib import Path

VIEWS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": False},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}


def pages(page):
    """Returns the paths of every page for an administrator, by name."""
    page.goto("/tokens?q=deploy+dashboards")
    token = page.locator("td .name a").first.get_attribute("href")
    page.goto("/organization/users?q=ada")
    user = page.locator("td .name a").first.get_attribute("href")
    page.goto("/tokens?q=fleet")
    whole = page.locator("td .name a").first.get_attribute("href")
    page.goto("/tokens?q=very-long")
    long = page.locator("td .name a").first.get_attribute("href")
    page.goto("/organization/service-accounts?q=robots")
    account = page.locator("td .name a").first.get_attribute("href")
    return {
        "service-accounts": "/organization/service-accounts",
        "service-account": account,
        "service-account-new": "/organization/service-accounts/new",
        "service-account-token": f"{account}/tokens/new",
        "token-replace": f"{token}/replace",
        "tokens": "/tokens",
        "tokens-all": "/tokens?state=all&sort=-created",
        "tokens-none": "/tokens?q=nothing-like-this",
        "token-new": "/tokens/new",
        "token-details": token,
        "token-many-scopes": whole,
        "token-long": long,
        "token-edit": f"{token}/edit",
        "token-revoke": f"{token}/revoke",
        "organization-tokens": "/organization/tokens",
        "users": "/organization/users",
        "user-new": "/organization/users/new",
        "user-details": user,
        "user-disable": f"{user}/state",
        "leaks": "/security/leaks",
        "audit": "/security/audit",
        "audit-custom": "/security/audit?range=custom&method=personal_access_token",
        "audit-problem": "/security/audit?q=%40nothing%3A1",
        "sessions": "/sessions",
        "missing": "/no/such/page",
    }


def shoot(person, folder, view):
    """Writes a screenshot of every page."""
    page = person.page
    for name, path in pages(page).items():
        page.goto(path)
        if name.startswith("audit") and page.locator(".events details").count():
            page.locator(".events details summary").first.click()
        page.screenshot(path=Path(folder, f"{name}-{view}.png"), full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            print(f"{name}-{view}: {wide} pixels too wide", file=sys.stderr)


def created(person, folder, view):
    """Creates a token and writes a screenshot of its panel and of a form with problems."""
    page = person.page
    page.goto("/tokens/new")
    page.get_by_role("button", name="Create token").click()
    page.screenshot(path=Path(folder, f"token-problems-{view}.png"), full_page=True)
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_label(re.compile("^dashboards_read")).check()
    page.get_by_role("button", name="Create token").click()
    page.screenshot(path=Path(folder, f"token-created-{view}.png"), full_page=True)
    page.get_by_role("button", name="Copy").click()
