"""Which lists a run has read, and whether an account that is missing from a list is really gone."""

from collections.abc import Iterator

from accounts.models import Account
from accounts.sync.listing import Listing, Outcome


class Coverage:
    """The listings of one run, and the profiles and manager accounts on which other lists depend.

    A scope names a list as AccountAccess.seen_in does: "source", "source:region" or "source:region:parent".
    """

    def __init__(self) -> None:
        self.listings: list[Listing] = []
        self.ads_accounts = self.start_listing(Account.Source.ADS_ACCOUNTS)
        # All profiles by region, and the manager accounts whose links Amazon may show only in part. Items
        # that could not be stored are included.
        self.shown_profiles: dict[str, set[str]] = {}
        self.cut_managers: dict[str, set[str]] = {}

    def start_listing(self, source: str, region: str = "", profile_id: str = "") -> Listing:
        listing = Listing(len(self.listings), str(source), region, profile_id)
        self.listings.append(listing)
        return listing

    def listings_of(self, source: str) -> Iterator[Listing]:
        return (listing for listing in self.listings if listing.source == source)

    def proves_absence(self, scope: str) -> bool:
        """Return whether an account that is missing from this list is really gone."""
        source, region, parent = (*scope.split(":", 2), "", "")[:3]
        listing = self._find(scope)
        if source == Account.Source.PROFILES:
            # A profile belongs to no ads account only when all ads accounts are known.
            are_accounts_known = (
                self.ads_accounts.proves_absence or self.ads_accounts.outcome == Outcome.FORBIDDEN
            )
            return are_accounts_known and listing is not None and listing.proves_absence
        if listing is not None:
            return listing.proves_absence
        above = self.source_listing(scope)
        if not parent or above is None:
            return False
        # The list was not requested: Amazon does not show its parent, an agency's profile or a manager
        # account. A complete list of the parents proves that the parent, and the whole list with it, is gone.
        shown = self.shown_profiles if source == Account.Source.DSP_ADVERTISERS else self.cut_managers
        return above.proves_absence and parent not in shown.get(region, ())

    def source_listing(self, scope: str) -> Listing | None:
        """Return the listing that counts the changes of this scope.

        It is the scope's own listing or, if the list was not requested, the listing of its parents. None if
        the connection has lost the region.
        """
        if (listing := self._find(scope)) is not None:
            return listing
        source, region = scope.split(":")[:2]
        above = source if source == Account.Source.MANAGER_ACCOUNTS else Account.Source.PROFILES
        return self._find(f"{above}:{region}")

    def _find(self, scope: str) -> Listing | None:
        return next((listing for listing in self.listings if listing.scope == scope), None)
