from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class Family(models.TextChoices):
    """Endpoints that share a pace."""

    ACCOUNTS = "accounts", "Accounts and profiles"
    DSP = "dsp", "DSP advertisers"
    BILLING = "billing", "Billing"
    LWA = "lwa", "Login with Amazon"


class RateLimit(models.Model):
    """The pace that all workers on all machines share, for one family of endpoints in one region.

    All its times are PostgreSQL's. `reservation.py` gives out the slots, `throttling.py` and `circuit.py` record Amazon's answers.
    """

    # Empty for Login with Amazon, whose tokens are global.
    region = models.CharField(max_length=2, blank=True, editable=False)
    family = models.CharField(max_length=10, choices=Family.choices, editable=False)

    pace = models.FloatField(help_text="Requests per second.")
    burst = models.PositiveSmallIntegerField(help_text="Requests that may go at once after a pause.")
    slot_at = models.DateTimeField(help_text="The latest slot that was given away.")
    used_at = models.DateTimeField(db_default=Now())
    growing = models.BooleanField(default=True, help_text="No limit was met yet: the pace grows fast.")
    slowed_at = models.DateTimeField(null=True, help_text="When a burst of refusals last slowed the pace.")
    requests_since_slowed = models.PositiveIntegerField(default=0)
    idle_since_slowed = models.FloatField(default=0, help_text="Seconds of long pauses between requests.")
    probed_at = models.DateTimeField(
        db_default=Now(), help_text="When the pace last changed after it had slowed."
    )
    requests_since_probed = models.PositiveIntegerField(default=0)
    probes = models.PositiveSmallIntegerField(default=0, help_text="Probes in a row that went well.")
    blocked_until = models.DateTimeField(null=True)

    last_subject = models.CharField(max_length=100, blank=True)
    other_login_at = models.DateTimeField(null=True, help_text="When calls last passed from login to login.")
    refused_subject = models.CharField(max_length=100, blank=True)
    refused_at = models.DateTimeField(null=True)

    failures_in_a_row = models.PositiveIntegerField(default=0)
    failing_subject = models.CharField(max_length=100, blank=True)
    several_failing = models.BooleanField(default=False)
    circuit_open_until = models.DateTimeField(null=True)
    circuit_seconds = models.PositiveIntegerField(default=0)
    probe_until = models.DateTimeField(null=True, help_text="The probe of an open circuit ends by then.")

    # The counts of the hour that began at `hour`, which is not this hour if no call was made since. The next
    # reservation moves them to a RateLimitHour.
    hour = models.DateTimeField()
    requests = models.PositiveIntegerField(default=0)
    throttled = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    waited_seconds = models.FloatField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["region", "family"], name="one_pace_per_region_and_family"),
            models.CheckConstraint(condition=Q(pace__gt=0), name="pace_is_positive"),
            models.CheckConstraint(condition=Q(burst__gte=1), name="burst_is_at_least_one"),
            models.CheckConstraint(condition=Q(family__in=Family.values), name="family_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_family_display()} {self.region}".strip()


class RateLimitHour(models.Model):
    """What one RateLimit counted in one hour. Hours older than 90 days are added to the first hour of their month."""

    rate_limit = models.ForeignKey(RateLimit, on_delete=models.CASCADE, related_name="hours", editable=False)
    hour = models.DateTimeField(editable=False)
    requests = models.PositiveIntegerField(default=0)
    throttled = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    waited_seconds = models.FloatField(default=0)
    pace = models.FloatField(help_text="Requests per second, as the hour ended.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rate_limit", "hour"], name="one_count_per_pace_and_hour"),
        ]

    def __str__(self) -> str:
        return f"{self.rate_limit}, {self.hour:%Y-%m-%d %H}:00 UTC"


class ParkedLogin(models.Model):
    """One login that Amazon paused, while other logins may make calls."""

    rate_limit = models.ForeignKey(
        RateLimit, on_delete=models.CASCADE, related_name="parked_logins", editable=False
    )
    subject = models.CharField(max_length=100, editable=False)
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rate_limit", "subject"], name="one_parking_per_pace_and_login"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} until {self.until:%Y-%m-%d %H:%M:%S} UTC"


class ApplicationRefusal(models.Model):
    """Amazon refuses this pair of client id and secret, so only probes are sent with it."""

    client_id = models.CharField(max_length=150, editable=False)
    # A keyed digest, from which the secret cannot be found.
    secret_digest = models.CharField(max_length=64, editable=False)
    code = models.CharField(max_length=100, blank=True)
    message = models.TextField(blank=True)
    request_id = models.CharField(max_length=100, blank=True)
    refusals = models.PositiveIntegerField(default=1)
    refused_since = models.DateTimeField(db_default=Now())
    last_refused_at = models.DateTimeField(db_default=Now())
    # When a caller last probed whether Amazon still refuses the pair.
    probed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client_id", "secret_digest"], name="one_refusal_per_client_and_secret"
            ),
            models.CheckConstraint(
                condition=Q(last_refused_at__gte=F("refused_since")), name="refusal_times_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client_id}: {self.code}"


class BillingRequestForm(models.Model):
    """The form of requests about billing that Amazon takes from one application, as its refusals have shown."""

    client_id = models.CharField(max_length=150, editable=False)
    max_pairs = models.PositiveSmallIntegerField(
        default=30, help_text="Advertisers in one request.", editable=False
    )
    limited_at = models.DateTimeField(
        null=True, editable=False, help_text="When Amazon last refused to take more advertisers."
    )
    account_wanted_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When Amazon last refused notifications without the header of an ads account.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client_id"], name="one_billing_form_per_client"),
            models.CheckConstraint(condition=Q(max_pairs__gte=1), name="billing_form_has_pairs"),
        ]

    def __str__(self) -> str:
        return self.client_id
