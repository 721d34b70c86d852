"""A passkey, added and used with the browser's virtual authenticator."""

from playwright.sync_api import Browser, expect

from tests.browser.conftest import Watch, log_in
from tests.browser.product import Product

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def test_a_person_adds_a_passkey_and_logs_in_with_it(
    browser: Browser, product: Product, watch: Watch
) -> None:
    product.manage("shell", "-c", MAKE_PERSON)
    context = browser.new_context(base_url=product.url)
    watch.over(context)
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    log_in(page, product, "/auth/2fa/", user_name="paula")
    page.get_by_role("link", name="Add a key").click()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/auth/2fa/recovery-codes/**")
    page.goto("/auth/logout/")
    page.get_by_role("main").or_(page.locator("#content")).get_by_role("button", name="Log out").click()
    page.wait_for_url("**/auth/login/")
    page.get_by_role("button", name="Log in with a passkey").click()
    page.wait_for_url(f"{product.url}/")
    page.goto("/auth/2fa/")
    expect(page.get_by_text("You have 1 key.")).to_be_visible()
    context.close()


MAKE_PERSON = """
from django.contrib.auth.models import User
from tests.browser.product import PASSWORD
User.objects.create_superuser("paula", password=PASSWORD)
"""
