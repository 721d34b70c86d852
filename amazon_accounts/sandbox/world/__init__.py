"""The data of the sandbox: logins, their accounts, who may see what, and ready-made worlds."""

from amazon_accounts.sandbox.world.billing import MESSAGES, Billing, Notification, Pair
from amazon_accounts.sandbox.world.demo import demo_world
from amazon_accounts.sandbox.world.entities import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    AdsAccount,
    Alternate,
    Client,
    DspAdvertiser,
    Level,
    Link,
    Login,
    ManagerAccount,
    Profile,
    World,
    default_client,
)
from amazon_accounts.sandbox.world.generate import Maker, generated_world, small_world
from amazon_accounts.sandbox.world.geography import MARKETPLACES, REGIONS, Region

__all__ = [
    "DEFAULT_CLIENT_ID",
    "DEFAULT_CLIENT_SECRET",
    "MARKETPLACES",
    "MESSAGES",
    "REGIONS",
    "AdsAccount",
    "Alternate",
    "Billing",
    "Client",
    "DspAdvertiser",
    "Level",
    "Link",
    "Login",
    "Maker",
    "ManagerAccount",
    "Notification",
    "Pair",
    "Profile",
    "Region",
    "World",
    "default_client",
    "demo_world",
    "generated_world",
    "small_world",
]
