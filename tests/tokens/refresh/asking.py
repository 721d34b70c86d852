"""A process that asks for the token of one connection, many times at once: `python -m tests.tokens.refresh.asking ID 25`."""

import asyncio
import hashlib
import json
import os
import sys
from uuid import UUID


async def ask(connection_id: UUID, times: int) -> set[str]:
    from amazon_accounts.amazon_ads.client import AmazonClient
    from tokens.refresh.access_tokens import get_access_token

    async with AmazonClient() as amazon:
        return set(
            await asyncio.gather(*(get_access_token(connection_id, amazon=amazon) for _ in range(times)))
        )


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "amazon_accounts.settings"
    import django

    django.setup()
    tokens = asyncio.run(ask(UUID(sys.argv[1]), int(sys.argv[2])))
    print(json.dumps([hashlib.sha256(token.encode()).hexdigest() for token in tokens]))
