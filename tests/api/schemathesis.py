"""What OpenAPI cannot say about our parameters: cases that only look right are not sent as right ones."""

from datetime import datetime, timezone
from urllib.parse import urlencode

import schemathesis

PRESENT = datetime(2026, 11, 21, 14, tzinfo=timezone.utc).timestamp() * 1000  # of every test of the API
FARTHEST = PRESENT + 31 * 86_400_000  # that can be looked ahead


def words(value):
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def milliseconds(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:
        return datetime.fromisoformat(str(value).upper().replace("Z", "+00:00")).astimezone(timezone.utc).timestamp() * 1000
    except (ValueError, OverflowError):
        return None


@schemathesis.hook
def filter_query(context, query):
    query = query or {}
    # An address of 64 KiB is refused before the API sees it.
    if len(urlencode(query, doseq=True)) > 60000:
        return False
    # Nobody can make up a cursor.
    if query.get("cursor") is not None:
        return False
    # Any text that begins with ~ fits the schema, and few are regular expressions.
    if any(word.lstrip("!").startswith("~") for value in query.values() for word in words(value)):
        return False
    return True


def ahead(query):
    # What is to come is neither past nor far away: a time that is becomes the nearest one that is not.
    for name in ("from", "to"):
        at = milliseconds(query.get(name))
        if at is not None and not PRESENT <= at <= FARTHEST:
            query[name] = str(int(min(max(at, PRESENT), FARTHEST)))
    begin, end = milliseconds(query.get("from")), milliseconds(query.get("to"))
    if begin is not None and end is not None and begin > end:
        query["from"] = query["to"]


@schemathesis.hook
def before_call(context, case, kwargs):
    # `from` must not be after `to`, which is the present where it is not told.
    query = case.query or {}
    if case.operation.path == "/api/v1/upcoming":
        ahead(query)
        return
    begin = milliseconds(query.get("from"))
    end = milliseconds(query["to"]) if "to" in query else PRESENT
    if begin is not None and end is not None and begin > end:
        query["from"] = query.get("to", "0")
