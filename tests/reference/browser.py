"""A browser without a window, which tells what two style sheets mean."""

import html
import json
import re
import shutil
import subprocess

_PAGE = r"""<!doctype html><meta charset="utf-8"><title>-</title><pre id="told"></pre>
<script type="application/json" id="asked">{pairs}</script>
<script>
// Values with var() are told as they were written: blanks that mean nothing may differ in them.
const STRING_OR_GAP = /("(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*')|(?:\s|\/\*[\s\S]*?\*\/)+/g;
function plain(text) {
  return text.replace(STRING_OR_GAP, (gap, string, at) => {
    if (string || gap === "") return string;
    const [before, after] = [text[at - 1], text[at + gap.length]];
    if ("([{},;".includes(before) || ")]{},;!".includes(after)) return "";
    return /\s/.test(gap.replace(/\/\*[\s\S]*?\*\//g, "")) ? " " : "/**/";
  });
}
function rules(text) {
  const style = document.createElement("style");
  style.textContent = text;
  document.head.append(style);
  const found = [...style.sheet.cssRules].map((rule) => rule.cssText);
  style.remove();
  return found;
}
function difference([before, after]) {
  const [old, now] = [rules(before), rules(after)];
  for (let at = 0; at < Math.max(old.length, now.length); at++) {
    if (old[at] !== now[at] && plain(old[at] ?? "nothing") !== plain(now[at] ?? "nothing"))
      return [old[at] ?? null, now[at] ?? null];
  }
  return old.length;
}
const asked = JSON.parse(document.getElementById("asked").textContent);
document.getElementById("told").textContent = JSON.stringify(asked.map(difference));
</script>"""
_TOLD = re.compile(r'<pre id="told">(.*?)</pre>', re.DOTALL)


def differences(pairs, folder):
    """For each pair of style sheets how many rules both have, or the first two that differ."""
    page = folder / "pairs.html"
    asked = json.dumps(list(pairs)).replace("<", "\\u003c")
    page.write_text(_PAGE.replace("{pairs}", asked))
    command = [program(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={folder / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(html.unescape(_TOLD.search(done.stdout)[1]))


def program():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise RuntimeError(
            "The tests marked `reference` need Chromium, and there is none on PATH. Install it"
            " (apt-get install chromium), or leave them out: pytest -m 'not reference'"
        )
    return found
