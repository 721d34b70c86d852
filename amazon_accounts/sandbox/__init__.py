"""An Amazon for demos and tests: Login with Amazon and the Ads API, as far as this product uses them.

In a test: `app = create_app(small_world())` from `.app` and `.world`. Then `app.state.sandbox` (state.Sandbox) holds
    world      logins, accounts and permissions; change the world, and the next answer shows the change.
               `set_billing(profile, "PAYMENT_METHOD_EXPIRED", Notification(...))` is what /billing says
    clock      `advance(seconds)`, `freeze()`
    choices    where Amazon's documentation leaves a choice: `change({"united_kingdom": "GB"})`
    faults     `add("error_503", path="/v2/profiles", region="EU", nth=2)`; kinds in faults.rules.KINDS
    throttle   `limit(20, burst=20, per=("region",), retry_after="absent")`
    journal    `entries(path=...)`, `counts(by=...)`
    grants     tokens; `sandbox.refresh_token("alice")`, `sandbox.revoke("alice")`
    `reset(world)`, `truth(login_id)`

Another process does the same with JSON under `/_sandbox/`, which control/routes.py describes.

The sandbox imports neither Django nor the product: the client must not depend on anything that the real Amazon lacks.
"""
