"""A made-up Amazon for demos and tests: Login with Amazon and the Ads API, as far as this product uses them.

In a test process: `app = create_app(small_world())` from `.app` and `.generate`; then `app.state.sandbox` (state.Sandbox) holds
    world      who and what exists; change it, and the next answer shows it
    clock      `advance(seconds)`, `freeze()`
    choices    every switch: `change({"united_kingdom": "GB"})`
    faults     `add("error_503", path="/v2/profiles", region="EU", nth=2)`; kinds in faults.KINDS
    throttle   `limit(20, burst=20, per=("region",), retry_after="absent")`
    journal    `entries(path=...)`, `counts(by=...)`
    grants     tokens; `sandbox.refresh_token("alice")`, `sandbox.revoke("alice")`
    `reset(world)`, `truth(login_id)`

From another process: the same as JSON under `/_sandbox/`, see control.py.

It knows nothing of Django and nothing of the product, whose client must not need a line that real Amazon would not need.
"""
