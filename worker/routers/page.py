"""What people and programs get while a site is closed."""

import html
import json

#: Characters of a message; HAProxy's control socket takes no longer ones.
LONGEST = 1000
NOBODY = "No app server is in service at the moment. Please come again."

#: One line: HAProxy writes others as `%0A`.
_HTML = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>Please come again</title>'
    "<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto;"
    "padding:0 1rem}}p{{white-space:pre-line}}</style><p>{message}</p></html>"
)


def pages(message: str) -> dict[str, str]:
    """The bodies as environment: `PAGE_HTML`, `PAGE_JSON` (a problem document)."""
    text = "".join(letter for letter in message if letter == "\n" or letter.isprintable())[:LONGEST]
    problem = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": text}
    return {
        "PAGE_HTML": _HTML.format(message=html.escape(text).replace("\n", "&#10;")),
        "PAGE_JSON": json.dumps(problem, ensure_ascii=False),
    }
