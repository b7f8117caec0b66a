"""What a file says about other files: the one thing the readers of CSS and JavaScript find."""

from dataclasses import dataclass
from enum import Enum


class Form(Enum):
    """How a rewritten reference is written; the same bytes that Django 6.1 writes.

    What is put in has no quote, backslash or control character: those are percent-encoded.
    """

    STRING = '"{}"'  # inside image-set(), import(), new URL(), importScripts()
    CSS_URL = 'url("{}")'
    CSS_SRC = 'src("{}")'
    CSS_IMPORT = '@import url("{}")'  # of `@import "x"`; what follows stays
    CSS_MAP = "/*# sourceMappingURL={} */"
    JS_FROM = ' from "{}"'  # with the blanks before `from`
    JS_SIDE_EFFECT = 'import"{}"'
    JS_MAP = "//# sourceMappingURL={}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a text that names another file."""

    #: What is replaced when the file gets another name, in characters of the text.
    start: int
    end: int
    #: As a browser reads it: escapes of the language resolved, white space around it gone.
    url: str
    form: Form

    @property
    def is_optional(self) -> bool:
        """A map that is missing harms nobody but a debugger."""
        return self.form in {Form.CSS_MAP, Form.JS_MAP}


@dataclass(frozen=True, slots=True)
class Unknowable:
    """A place in a text that names a file which only a running program knows."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that one text says about other files, in order, without overlaps."""

    references: tuple[Reference, ...] = ()
    unknowable: tuple[Unknowable, ...] = ()
