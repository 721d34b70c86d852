"""Tags and filters that write statuses, times and numbers."""

import json
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from accounts.models import AccountChange
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.amazon_ads.marketplaces import COUNTRY_NAMES, show_country
from dashboard import status
from dashboard.formats.support import write_for_support
from dashboard.formats.times import format_date, format_moment, format_span, relative
from dashboard.status import Status, Tone
from tokens.permissions import may

register = template.Library()

NOTICE_DATES = ("due_at", "suspension_at")
MAX_NOTICES_SHOWN = 20
# In a row of a list.
COUNTRIES_SHOWN = 3
LABELS_SHOWN = 2

# Drawn, because shapes of a font appear late, do not print everywhere and vanish with forced colors.
SHAPES: dict[Tone, SafeString] = {
    "good": mark_safe(
        '<circle cx="7" cy="7" r="7" fill="currentColor"/>'
        '<path d="M3.8 7.2 6.1 9.5 10.3 4.9" fill="none" stroke="var(--c-raised)" stroke-width="1.7"/>'
    ),
    "attention": mark_safe(
        '<path d="M7 .8 14 13.2H0z" fill="currentColor"/>'
        '<path d="M7 5v4.2M7 10.4v1.5" stroke="var(--c-raised)" stroke-width="1.6"/>'
    ),
    "bad": mark_safe(
        '<path d="M4.1 0h5.8L14 4.1v5.8L9.9 14H4.1L0 9.9V4.1z" fill="currentColor"/>'
        '<path d="m4.4 4.4 5.2 5.2m0-5.2L4.4 9.6" stroke="var(--c-raised)" stroke-width="1.7"/>'
    ),
    "off": mark_safe('<circle cx="7" cy="7" r="5.8" fill="none" stroke="currentColor" stroke-width="2"/>'),
    "busy": mark_safe(
        '<path d="M7 1.2A5.8 5.8 0 1 1 1.2 7" fill="none" stroke="currentColor" stroke-width="2.4"/>'
    ),
}


@register.simple_tag
def shape(tone: Tone) -> SafeString:
    return format_html(
        '<svg class="c-shape c-{}" viewBox="0 0 14 14" aria-hidden="true">{}</svg>', tone, SHAPES[tone]
    )


@register.simple_tag
def dot(tone: Tone | None) -> SafeString:
    """Draw the shape of the tone; a dot for what is neither good nor bad."""
    if tone is not None:
        return shape(tone)
    return mark_safe(
        '<svg class="c-shape c-off" viewBox="0 0 14 14" aria-hidden="true"><circle cx="7" cy="7" r="3" fill="currentColor"/></svg>'
    )


@register.simple_tag(takes_context=True)
def may_do(context: Context, permission: str, obj: object) -> bool:
    """Return whether the person may do this with the object: `perms` only knows whether any of their teams allows it."""
    return may(context["request"].user, permission, obj)


@register.simple_tag
def pill(state: Status) -> SafeString:
    # Screen readers do not read a title, so the reason is there twice.
    why = format_html('<span class="c-hidden">, {}</span>', state.why) if state.why else ""
    title = format_html(' title="{}"', state.why) if state.why else ""
    return format_html(
        '<span class="c-pill c-{}"{}>{}{}{}</span>', state.tone, title, shape(state.tone), state.word, why
    )


@register.simple_tag
def explained_pill(state: Status) -> SafeString:
    # The reason stands beside the pill.
    why = format_html(' <span class="c-why">{}</span>', state.why) if state.why else ""
    title = format_html(' title="{}"', state.tip) if state.tip else ""
    return format_html(
        '<span class="c-pill c-{}"{}>{}{}</span>{}', state.tone, title, shape(state.tone), state.word, why
    )


@register.inclusion_tag("dashboard/frame/support.html")
def support_details(text: str, key: object = "", code: str = "", request_id: str = "") -> dict[str, object]:
    """Write a technical text, folded. In a part of the page that is replaced, `key` keeps it open."""
    return {"text": write_for_support(text, code, request_id), "key": key}


@register.simple_tag
def word(state: Status) -> SafeString:
    # For rows that already have a pill.
    return format_html('<span class="c-word c-{}">{}{}</span>', state.tone, shape(state.tone), state.word)


@register.simple_tag
def stated(state: Status) -> SafeString:
    # For a row: the word, then its reason, which is cut where there is no room.
    why = format_html(' <span class="c-why">{}</span>', state.why) if state.why else ""
    title = format_html(' title="{}"', state.tip or state.why) if state.tip or state.why else ""
    return format_html(
        '<span class="c-stated"{}><span class="c-word c-{}">{}{}</span>{}</span>',
        title, state.tone, shape(state.tone), state.word, why,
    )  # fmt: skip


@register.filter
def few(countries: list[str]) -> str:
    rest = len(countries) - COUNTRIES_SHOWN
    return " ".join(countries[:COUNTRIES_SHOWN]) + (f" +{rest}" if rest > 0 else "") or "–"


@register.filter
def first_labels(labels: dict[str, str]) -> list[tuple[str, str]]:
    return sort_labels(labels)[:LABELS_SHOWN]


@register.filter
def more_labels(labels: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in sort_labels(labels)[LABELS_SHOWN:])


@register.filter
def sort_labels(labels: dict[str, str]) -> list[tuple[str, str]]:
    """Return the labels by their keys; PostgreSQL keeps the keys of a JSON object by their length."""
    return sorted(labels.items())


register.filter("account_state", status.state_of_account)
register.filter("account_status", status.status_of_account)
register.filter("standing", status.status_of_billing)
register.filter("sync_status", status.status_of_account_sync)
register.filter("connection_state", status.status_of_connection)
register.filter("token_life", status.measure_token_life)
register.filter("consent", status.status_of_consent)
register.filter("key_state", status.status_of_key)
register.filter("webhook_state", status.status_of_webhook)
register.filter("link_state", status.status_of_link)
register.filter("renewal", status.status_of_renewal)
register.filter("delivery_state", status.status_of_delivery)
register.filter("run_state", status.status_of_run)
register.filter("refresh_outcome", status.status_of_refresh)
register.filter("explain_run", status.explain_run)
register.filter("explain_refresh", status.explain_refresh)


@register.simple_tag
def when(moment: datetime | None, form: str = "relative", never: str = "never") -> SafeString | str:
    """Write a time in the browser's zone if that is known. `form` is "relative", "clock" or "date".

    times.js rewrites the time in the browser.
    """
    if moment is None:
        return never
    local = timezone.localtime(moment)
    text = {"clock": f"{local:%H:%M}", "date": format_date(moment)}.get(form) or relative(moment)
    return format_html(
        '<time datetime="{}" title="{}" data-as="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        format_moment(moment),
        form,
        text,
    )


@register.filter
def notices(stored: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Return the first notices of a profile, with their dates as moments."""
    return [
        notice | {name: notice[name] and datetime.fromisoformat(notice[name]) for name in NOTICE_DATES}
        for notice in (stored or [])[:MAX_NOTICES_SHOWN]
    ]


@register.filter
def duration(seconds: float | None) -> str:
    """Return a length of time as "0.3 s", "42 s", "3 min" or "2 h 10 min"."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 60 else format_span(timedelta(seconds=seconds))


@register.filter
def minutes(number: int) -> str:
    """Return a number of minutes as "3 min", "2 h 10 min" or "4 days"."""
    return format_span(timedelta(minutes=number))


@register.filter
def exact_percent(share: float | None) -> str:
    """Return a share of 0 to 100, which was rounded already, as "99.98 %"."""
    return "" if share is None else f"{share:g} %"


@register.filter
def percent(share: float | None) -> str:
    """Return a share of 0 to 1 as "99.4 %"."""
    if share is None:
        return "none yet"
    # 99.96 % is not rounded up to 100 %: something failed.
    return "100 %" if share == 1 else f"{min(share * 100, 99.9):.1f} %"


@register.filter
def accounts(number: int) -> str:
    return f"{number:,} account{'' if number == 1 else 's'}"


@register.filter
def region_names(regions: list[str]) -> str:
    return ", ".join(Region(region).label for region in regions)


@register.filter
def country_name(code: str) -> str:
    """Return the name of a country; "" for one that is not known."""
    return COUNTRY_NAMES.get(show_country(code), "")


@register.filter
def pretty(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True, default=str)


@register.filter
def value_of(change: AccountChange, side: str) -> str:
    """Return the `old` or the `new` value of a change, in the words of the pages."""
    value = getattr(change, side)
    if change.kind == AccountChange.Kind.STANDING:
        return status.find_status(status.STANDING, value).word
    return plain(value)


@register.filter
def plain(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
