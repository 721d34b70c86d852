"""Makes the owner, a key of the API and the connections: run with the code whose database it is.

Standard input is JSON: {"token_seconds": 60, "calm_seconds": 30, "logins": {label: [refresh token, access token, Amazon user id]}}.
Standard output is the key.
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import django


def main() -> None:
    sys.path.insert(0, str(Path.cwd()))
    os.environ["DJANGO_SETTINGS_MODULE"] = "amazon_accounts.settings"
    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.utils import timezone

    from tests.api_keys import new_key
    from tests.teams import team_of
    from tokens.models import Connection

    given = json.load(sys.stdin)
    owner = User.objects.create_superuser("chaos")
    now = timezone.now()
    life = timedelta(seconds=given["token_seconds"])
    team = team_of(owner)
    # The first refreshes are spread over this time.
    calm = timedelta(seconds=given["calm_seconds"])
    for number, (label, (refresh_token, access_token, user_id)) in enumerate(given["logins"].items()):
        Connection.objects.create(
            team=team,
            owner=owner,
            label=label,
            amazon_user_id=user_id,
            client_id=settings.AMAZON_CLIENT_ID,
            refresh_token=refresh_token,
            access_token=access_token,
            last_refreshed_at=now,
            expires_at=now + life,
            next_refresh_at=now + calm * number / len(given["logins"]),
            next_sync_at=now,
        )
    key = new_key(owner)
    print(key)


if __name__ == "__main__":
    main()
