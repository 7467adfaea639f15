"""Writes screenshots of every page, at desktop and phone width, light and dark."""

import re
from pathlib import Path

WIDTHS = {"desktop": 1280, "phone": 390}
SCHEMES = ["light", "dark"]


def views():
    """Returns the options of a browser for each width and color scheme, by name."""
    return {
        f"{name}-{scheme}": {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
        for name, width in WIDTHS.items()
        for scheme in SCHEMES
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
        "users-none": "/organization/users?q=nobody-like-this",
        "service-account-disable": f"{account}/state",
        "organization-tokens-all": "/organization/tokens?state=all",
        "leaks": "/security/leaks",
        "leaks-open": "/security/leaks?show=open",
        "audit": "/security/audit",
        "audit-custom": "/security/audit?range=custom&method=personal_access_token",
        "audit-none": "/security/audit?event=clock.reset",
        "audit-follow": "/security/audit?follow=1",
        "audit-problem": "/security/audit?q=%40nothing%3A1",
        "sessions": "/sessions",
        "missing": "/no/such/page",
    }


def shoot(person, folder, view):
    """Writes a screenshot of every page of an administrator, from the sign-in to the panels that forms show."""
    page = person.page

    def picture(name):
        page.screenshot(path=Path(folder, f"{name}-{view}.png"), full_page=True)

    page.goto("/sign-in")
    picture("sign-in")
    page.goto("/sign-in/link?code=x")
    picture("sign-in-invalid")
    page.goto(person.service.link())
    picture("sign-in-link")
    person.sign_in()
    for name, path in pages(page).items():
        page.goto(path)
        if name == "audit":
            page.locator(".events details summary").first.click()
        picture(name)
    page.goto("/tokens/new")
    page.get_by_role("button", name="Create token").click()
    picture("token-problems")
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_label(re.compile("^dashboards_read")).check()
    page.get_by_role("button", name="Create token").click()
    picture("token-created")
    page.get_by_role("button", name="Copy").first.click()
    page.goto("/organization/tokens")
    for box in page.get_by_role("checkbox", name=re.compile("^Select (deploy|nightly|terraform)")).all():
        box.check()
    picture("organization-tokens-selected")
    page.get_by_role("button", name="Revoke selected").click()
    picture("organization-tokens-revoke")
    page.goto("/organization/users?q=ada")
    page.locator("td .name a").first.click()
    page.get_by_role("button", name="Create sign-in link").click()
    picture("user-link")
    page.goto("/tokens")
    page.get_by_role("button", name="Sign out").click()
    picture("signed-out")
