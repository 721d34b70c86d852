"""The sandbox of the sync benchmark: `python -m tests.bench.sync_amazon PORT LOGINS ACCOUNTS`.

Every account is a seller with one profile. The accounts are spread over the United States, Germany and Japan,
because Amazon shows at most 5,000 profiles of a region.
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
