"""How large a load is, and how long it lasts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    seconds: int = 1800
    connections: int = 1000
    accounts_per_connection: int = 100
    #: How many times faster than usual tokens end and syncs follow each other.
    compression: int = 15
    workers: int = 2
    people: int = 8

    def interval(self, usual_seconds: int) -> int:
        return max(1, usual_seconds // self.compression)

    @property
    def token_seconds(self) -> int:
        return self.interval(3600)

    def environment(self) -> dict[str, str]:
        return {
            "TOKEN_REFRESH_CHECK_SECONDS": str(self.interval(300)),
            "TOKEN_REFRESH_LEAD_SECONDS": str(self.interval(600)),
            "SYNC_INTERVAL_SECONDS": str(self.interval(3600)),
            "BILLING_INTERVAL_SECONDS": str(self.interval(21_600)),
            # What is measured is our own speed.
            "AMAZON_REQUESTS_PER_SECOND": "50",
            "LWA_REQUESTS_PER_SECOND": "50",
        }
