"""What the OpenAPI document says about the API as a whole."""

API_DESCRIPTION = (
    "Every Amazon Ads account behind the Amazon logins of a company: list and label accounts, sync, disconnect "
    "and reconnect many accounts at once, and get valid access tokens.\n\nPeople see the connections "
    "and accounts of their teams, and their role in a team says what they may do there. An object of another team is "
    "answered with 404. A path also works without "
    "its last slash.\n\nErrors are problem details (RFC 9457). Their `type` is the address of a page of the console "
    "that says what happened and what to do; `detail` and `errors` are about the one request."
    "\n\nA key may ask for so much in a time. The headers `RateLimit-Policy` and `RateLimit` of each answer say how much, "
    "and how much is left; an answer 429 says in `Retry-After` when to ask again."
)
