"""What a string of JavaScript says."""

import re

_ESCAPE = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]+)\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([0-3]?[0-7]{1,2})"
    r"|(\r\n|[\n\r\u2028\u2029])|([\s\S]))"
)
_SINGLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_LAST_CHARACTER = 0x10FFFF
# What browsers cut off both ends of a URL.
_AROUND = "".join(map(chr, range(0x21)))


def url_of(token: str) -> str:
    """The URL in a string or plain template, with its quotes; escapes are resolved."""
    text = token[1:-1]
    if "\\" in text:
        text = _ESCAPE.sub(_character, text)
        # Two escaped halves are one character; half a character is none.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.strip(_AROUND)


def _character(escape: re.Match[str]) -> str:
    braced, four, two, octal, line_end, single = escape.groups()
    if line_end:
        return ""
    if single:
        return _SINGLE.get(single, single)
    number = int(octal, 8) if octal else int(braced or four or two, 16)
    return chr(min(number, _LAST_CHARACTER))
