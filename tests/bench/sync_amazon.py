"""The made-up Amazon of the sync benchmark: `python -m tests.bench.sync_amazon PORT LOGINS ACCOUNTS`.

Sellers with one profile each, in the United States, Germany and Japan in turn: so no region has more than the 5,000
profiles that Amazon shows. POST /_sandbox/... steers it as usual.
"""

import sys

import uvicorn

from amazon_accounts.sandbox.app import create_app
from amazon_accounts.sandbox.world import Maker, World, default_client

COUNTRIES = ("US", "DE", "JP")


def bench_world(logins: int, accounts: int) -> World:
    world = World(1)
    world.add_client(default_client([]))
    maker = Maker(world)
    world.add_login("warm-up")
    for number in range(1, logins + 1):
        login = world.add_login(f"login-{number}")
        for index in range(accounts):
            maker.account(f"Account {number}-{index}", "seller", [COUNTRIES[index % 3]], login)
    return world


def main() -> None:
    port, logins, accounts = (int(argument) for argument in sys.argv[1:4])
    uvicorn.run(
        create_app(bench_world(logins, accounts)),
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
    )


if __name__ == "__main__":
    main()
