"""The sandbox Amazon, served by this process, and its world, which changes all the time."""

import asyncio
import concurrent.futures
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar

import uvicorn

from amazon_accounts.sandbox.app import create_app
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Maker, World
from amazon_accounts.sandbox.world.generate import generated_world
from tests.accounts.sync.random_worlds import CHANGES

Result = TypeVar("Result")

COUNTRIES = ["US", "CA", "DE", "UK", "JP"]
# The login whose list has several pages.
BIG_LOGIN = "login-1"
LOGINS_OF_A_CHANGE = 3


def make_world(seed: int, logins: int, accounts: int, big: int) -> World:
    world = generated_world(
        logins=logins, accounts_per_login=accounts, managers_per_login=1, links_per_manager=2, seed=seed
    )
    maker = Maker(world)
    for number in range(big):
        maker.account(f"Big {number}", "seller", [COUNTRIES[number % 5]], world.logins[BIG_LOGIN])
    for login in list(world.logins.values())[::10]:
        maker.agency(f"Agency of {login.name}", "US", login, advertisers=3)
    return world


class Amazon(AbstractContextManager["Amazon"]):
    """Everything that touches the sandbox runs in the thread of its event loop."""

    def __init__(self, world: World) -> None:
        self._app = create_app(world)
        self.sandbox: Sandbox = self._app.state.sandbox
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="sandbox", daemon=True
        )
        # Since when each login sees each ads account without a break.
        self.seen_since: dict[tuple[str, str], float] = {}
        # Every id that an account ever had.
        self.known_ids: set[str] = set()
        self.changes = 0

    def __enter__(self) -> "Amazon":
        self._thread.start()
        self._ready.wait(10)
        self.do(self._note_what_is_seen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                server_header=False,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._ready.set()
        await self._server.serve(sockets=[self._listener])

    def do(self, function: Callable[[], Result]) -> Result:
        """Call the function in the thread of the sandbox."""
        done: concurrent.futures.Future[Result] = concurrent.futures.Future()

        def call() -> None:
            try:
                done.set_result(function())
            except Exception as error:  # noqa: BLE001 - it is raised where the function was asked for
                done.set_exception(error)

        assert self._loop is not None
        self._loop.call_soon_threadsafe(call)
        return done.result(30)

    def environment(self) -> dict[str, str]:
        return {
            "AMAZON_ADS_API_URL": f"{self.url}/{{region}}/api",
            "AMAZON_LWA_URL": f"{self.url}/{{region}}",
            "AMAZON_CLIENT_ID": DEFAULT_CLIENT_ID,
            "AMAZON_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        }

    def fault(self, kind: str, name: str, **details: Any) -> None:
        self.do(lambda: self.sandbox.faults.add(kind, name=name, **details))

    def calm(self, *names: str) -> None:
        """End these faults."""
        for name in names:
            self.do(lambda name=name: self.sandbox.faults.rules.pop(name, None))  # type: ignore[misc]

    def choose(self, **choices: Any) -> None:
        self.do(lambda: self.sandbox.choices.change(choices))

    def new_tokens(self, login: str) -> tuple[str, str]:
        """Return a refresh token and an access token of a new consent."""
        grants = self.sandbox.grants

        def make() -> tuple[str, str]:
            grant = self.sandbox.grant(login)
            return grants.new_refresh_token(grant), grants.new_access_token(grant)

        return self.do(make)

    def is_valid(self, access_token: str) -> bool:
        grants = self.sandbox.grants

        def look() -> bool:
            token = grants.read(access_token, "access")
            return token is not None and grants.is_alive(access_token, token)

        return self.do(look)

    def change_world(self, chance: random.Random) -> None:
        """One random change of what a few logins see."""
        world = self.sandbox.world

        def change() -> None:
            logins = chance.sample(list(world.logins.values()), min(LOGINS_OF_A_CHANGE, len(world.logins)))
            chance.choice(CHANGES)(chance, world, Maker(world), logins)
            self._note_what_is_seen()

        self.do(change)
        self.changes += 1

    def shift_pages(self, chance: random.Random) -> None:
        """Take an early account out of the long list, so that all others move up, and add a new last one."""
        world = self.sandbox.world
        login = world.logins[BIG_LOGIN]

        def shift() -> None:
            if login.ads_accounts:
                place = chance.randrange(max(1, len(login.ads_accounts) // 4))
                world.remove_ads_account(login.ads_accounts[place])
            Maker(world).account("Moved up", "seller", [chance.choice(COUNTRIES)], login)
            self._note_what_is_seen()

        self.do(shift)
        self.changes += 1

    def _note_what_is_seen(self) -> None:
        world, now = self.sandbox.world, time.time()
        seen = {
            (login.login_id, account_id)
            for login in world.logins.values()
            for account_id in login.ads_accounts
        }
        self.seen_since = {pair: self.seen_since.get(pair, now) for pair in seen}
        self.known_ids |= {*world.ads_accounts, *world.manager_accounts, *world.dsp_advertisers}
        self.known_ids |= {profile.account_id for profile in world.profiles.values()}
