"""Walks through a site as a person would, and notes every file that its pages lead to."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx

LINKS = {"link": "href", "script": "src", "img": "src", "source": "src", "use": "href"}
CSS = re.compile(r"""url\(\s*["']?([^"')]+)|image-set\(\s*["']([^"']+)""")
JS = re.compile(r"""(?:from|import)\s*\(?\s*["']([./][^"']*)["']|new URL\(["']([^"']+)["']""")


@dataclass
class Crawl:
    client: httpx.Client
    #: Pages elsewhere are not visited.
    within: str
    #: What was asked for, by path, with its answer.
    pages: dict[str, httpx.Response] = field(default_factory=dict)
    files: dict[str, httpx.Response] = field(default_factory=dict)

    def visit(self, start, *, at_most):
        waiting = [start]
        while waiting and len(self.pages) < at_most:
            page = waiting.pop(0)
            if page not in self.pages and "logout" not in page:
                waiting += self._visit(page)

    def _visit(self, page):
        answer = self.pages[page] = self.client.get(page, follow_redirects=True)
        if "html" not in answer.headers["content-type"]:
            return []
        seen = Names()
        seen.feed(answer.text)
        for name in seen.files:
            self._fetch(urljoin(page, name))
        pages = [urldefrag(urljoin(page, name)).url for name in seen.pages if is_own(name)]
        return [name for name in pages if name.startswith(self.within)]

    def _fetch(self, name):
        path = urldefrag(name).url
        if path in self.files or not is_own(path):
            return
        answer = self.files[path] = self.client.get(path)
        kind = answer.headers.get("content-type", "")
        pattern = CSS if "css" in kind else JS if "javascript" in kind else None
        if pattern and path.startswith("/static/"):
            for found in pattern.finditer(without_comments(answer.text)):
                self._fetch(urljoin(path, next(filter(None, found.groups()))))


class Names(HTMLParser):
    def __init__(self):
        super().__init__()
        self.files, self.pages = [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if LINKS.get(tag) in attributes:
            self.files.append(attributes[LINKS[tag]])
        if tag == "a" and attributes.get("href"):
            self.pages.append(attributes["href"])


def is_own(name):
    parts = urlsplit(name)
    return not parts.scheme and not parts.netloc and bool(parts.path or parts.query)


def without_comments(text):
    return re.sub(r"/\*.*?\*/|^\s*//.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
