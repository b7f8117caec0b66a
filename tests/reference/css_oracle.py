"""Prints what a parser of CSS takes for the URL of a file, as one JSON list for each named file.

Usage: python css_oracle.py, with the names of the files on standard input.
"""

import json
import sys
from pathlib import Path

import tinycss2

BLANKS = " \t\n\r\f"
#: The addresses in these name no file.
NAMES_NO_FILE = {"namespace", "document", "-moz-document"}
SETS = {"image-set", "-webkit-image-set"}
BLOCKS = {"() block", "[] block", "{} block"}


def urls(tokens, *, is_set=False):
    tokens = [token for token in tokens if token.type not in {"whitespace", "comment"}]
    is_skipped = False
    for before, token in zip([None, *tokens], tokens, strict=False):
        is_skipped = names_no_file(token, is_so=is_skipped)
        if is_import(before) and token.type == "string":
            yield token.value
        elif not is_skipped:
            yield from of_token(token, is_set=is_set)


def names_no_file(token, *, is_so):
    """Whether what follows the token is skipped, when the token itself `is_so`."""
    if token.type == "{} block" or (token.type == "literal" and token.value in ";}"):
        return False
    return is_so or (token.type == "at-keyword" and token.lower_value in NAMES_NO_FILE)


def is_import(token):
    return token is not None and token.type == "at-keyword" and token.lower_value == "import"


def of_token(token, *, is_set):
    if token.type == "url" or (token.type == "string" and is_set):
        yield token.value
    elif token.type == "function":
        arguments = [it for it in token.arguments if it.type not in {"whitespace", "comment"}]
        if token.lower_name in {"url", "src"} and arguments and arguments[0].type == "string":
            yield arguments.pop(0).value
        yield from urls(arguments, is_set=token.lower_name in SETS)
    elif token.type in BLOCKS:
        yield from urls(token.content)


def main():
    sys.setrecursionlimit(100_000)
    for name in sys.stdin.read().splitlines():
        text = Path(name).read_bytes().decode(errors="replace")
        found = urls(tinycss2.parse_component_value_list(text))
        sys.stdout.write(json.dumps([url for url in (it.strip(BLANKS) for it in found) if url]))
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
