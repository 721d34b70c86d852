"""The text of a mail with renewal links, in the language of who gets it."""

from collections.abc import Mapping
from itertools import groupby

from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from amazon_accounts.visible_text import escape_line
from tokens.connect.links import build_address, name_sender, write_mail
from tokens.models import ConnectLink


def write_renewal_mail(tokens: Mapping[ConnectLink, str]) -> EmailMessage:
    """Return the mail with these links, those of one team one after the other. All are for one address."""
    links = list(tokens)
    if len(links) == 1:
        return write_mail(links[0], tokens[links[0]])
    # The language that was chosen last.
    with translation.override(max(links, key=lambda link: link.created_at).language):
        parts = [
            _introduce(list(of_team), tokens) for _team, of_team in groupby(links, lambda link: link.team)
        ]
        teams = list(dict.fromkeys(escape_line(link.team.name) for link in links))
        if len(teams) == 1:
            subject = _("{team} asks you to renew the access to your Amazon Ads accounts")
        else:
            subject = _("Please renew the access to your Amazon Ads accounts")
        how = _(
            "Open one page after the other, read what it is about, and continue to Amazon with the login of these ad "
            "accounts. Each takes about a minute.\n\n"
            "A link works once, until {date}. Nobody here ever sees your Amazon password.\n\n"
            "If you do not know {team}, delete this mail."
        )
        date = date_format(min(link.ends_at for link in links), "DATE_FORMAT")
        text = "\n\n".join([*parts, how.format(date=date, team=", ".join(teams))])
        return EmailMessage(subject=subject.format(team=teams[0]), body=f"{text}\n", to=[links[0].email])


def _introduce(links: list[ConnectLink], tokens: Mapping[ConnectLink, str]) -> str:
    """Return who asks, and the links of this team."""
    team = escape_line(links[0].team.name)
    senders = {name_sender(link) for link in links}
    sender = senders.pop() if len(senders) == 1 else ""
    who = _("{person} of {team}").format(person=sender, team=team) if sender else team
    why = _(
        "{who} looks after these ad accounts. Amazon ends this access from time to time, so please renew it:"
    )
    return "\n\n".join([why.format(who=who), *(_name(link, tokens[link]) for link in links)])


def _name(link: ConnectLink, token: str) -> str:
    label, ends_at = escape_line(link.label), link.connection.consent_ends_at if link.connection else None
    if ends_at is not None:
        label = _("{label}, access until {date}").format(
            label=label, date=date_format(ends_at, "DATE_FORMAT")
        )
    return f"{label}\n{build_address(token)}"
