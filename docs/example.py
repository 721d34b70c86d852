"""List all accounts, sync the accounts without a problem, and wait for the results.

Needs httpx and the environment variables CONSOLE_URL (http://localhost:8000) and CONSOLE_TOKEN, a token that
`manage.py api_token USER` prints.
"""

import os
import time

import httpx

api = httpx.Client(
    base_url=f"{os.environ['CONSOLE_URL']}/api/v1/",
    headers={"Authorization": f"Token {os.environ['CONSOLE_TOKEN']}"},
)

page: str | None = "accounts/?ordering=name&page_size=500"
while page:
    answer = api.get(page).raise_for_status().json()
    for account in answer["results"]:
        print(account["id"], account["status"], account["health"], account["name"])
    page = answer["next"]

wanted = {"operation": "sync", "filter": {"health": ["ok", "attention"]}}
started = api.post("accounts/batch/", json=wanted, headers={"Idempotency-Key": f"example-{time.time_ns()}"})
address = started.raise_for_status().headers["Location"]
while (batch := api.get(address).raise_for_status().json())["finished_at"] is None:
    print(f"{batch['succeeded']} of {batch['total']} done")
    time.sleep(1)

print(batch["state"], *(f"{batch[name]} {name}" for name in ("succeeded", "failed", "skipped")), sep=", ")
for item in api.get(f"{address}items/?state=failed").raise_for_status().json()["results"]:
    print(item["account"], item["message"])
