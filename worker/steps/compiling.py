"""Compilers of a recipe, run on the host: the worker never runs programs of other people."""

import re
import shlex

from app.domain.recipe_static import Compiler
from worker.steps import recipe_step
from worker.steps.recipe_step import Surroundings
from worker.steps.step import Command, Failure

#: Seconds for one file, and for all that one compiler makes.
_LONGEST_FILE, _LONGEST = 300, 3_600

_MISSING, _REFUSED, _FAILED = 83, 84, 85

#: Once for each compiler, in the release. What a file may include is known to its compiler alone,
#: so all static files, the packages and the program are part of the name of what is kept.
_ALL = """\
[ -d "$LL_STATIC" ] || { echo "there is no folder $LL_STATIC in $(pwd)" >&2; exit 83; }
LL_TOP=$(pwd)
LL_PROGRAM=$(command -v "$LL_NAME" 2>/dev/null) || {
  echo "there is no program $LL_NAME; PATH is $PATH" >&2
  exit 84
}
case $LL_PROGRAM in
  /*) ;;
  */*) LL_PROGRAM=$LL_TOP/$LL_PROGRAM ;;
esac
LL_CACHE=$SHARED_DIR/.compiled
mkdir -p "$LL_CACHE"
for entry in "$LL_CACHE"/*; do
  [ -z "$(find "$entry" -prune -mtime +30 2>/dev/null)" ] || rm -rf "$entry"
done
LL_WORK=$(mktemp -d "$LL_CACHE/.new-XXXXXX")
trap 'rm -rf "$LL_WORK"' EXIT
: >"$LL_WORK/made"
: >"$LL_WORK/failed"
program=$(readlink -f "$LL_PROGRAM" 2>/dev/null || printf '%s' "$LL_PROGRAM")
LL_STATE=$(
  find "$LL_STATIC" -type f -exec sha256sum {} + | LC_ALL=C sort
  case $program in /*) ;; *) program=/ ;; esac # a builtin of the shell
  if [ -f "$program" ]; then sha256sum <"$program"; fi
  package=${program%/*}
  while [ -n "$package" ] && [ ! -f "$package/package.json" ]; do package=${package%/*}; done
  cat "$package/package.json" 2>/dev/null || true
  for file in package.json package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml \\
    tsconfig.json
  do
    if [ -f "$file" ]; then sha256sum "$file"; fi
  done
)
LL_STATE=$(printf '%s' "$LL_STATE" | sha256sum)
export LL_TOP LL_PROGRAM LL_CACHE LL_WORK LL_STATE
find "$LL_STATIC" -type f ! -path '*/.*' -exec sh -euc "$LL_EACH" sh {} +
[ -s "$LL_WORK/made" ] || echo "nothing below $LL_STATIC fits $LL_MATCH"
[ ! -s "$LL_WORK/failed" ] || exit 85
"""

#: For some files; tells every one that fails.
_EACH = """\
failed() {
  printf '%s: %s\\n' "$path" "$1" >&2
  echo "$path" >>"$LL_WORK/failed"
}
compile() {
  # In the source's folder: a source map then has the same path to it in every release.
  rm -rf "$new"
  mkdir "$new"
  code=0
  (cd "$folder" && {command}) >"$LL_WORK/log" 2>&1 </dev/null || code=$?
  # Without colors; a launcher may add the story of its own end to what the program said.
  sed "s/$(printf '\\033')\\[[0-9;]*[A-Za-z]//g" "$LL_WORK/log" >"$LL_WORK/words"
  said=$(cat "$LL_WORK/words")
  if [ "$(wc -l <"$LL_WORK/words")" -gt 31 ]; then
    said=$(head -n 10 "$LL_WORK/words"; echo ...; tail -n 20 "$LL_WORK/words")
  fi
  if [ "$code" != 0 ]; then
    failed "\\`$LL_RUN\\` ended with exit code $code. It said:
$said"
  elif [ ! -f "$made" ] || [ ! -s "$made" ]; then
    failed "\\`$LL_RUN\\` ended with exit code 0 and left nothing for $output. It said:
$said"
  else
    cp -R "$new" "$LL_WORK/new"
    mv "$LL_WORK/new" "$kept"
  fi
  rm -rf "$new"
}
for source; do
  path=${source#"$LL_STATIC"/} name=${source##*/} folder=${source%/*}
  case $path in
    $LL_MATCH) ;;
    *) case $name in $LL_MATCH) ;; *) continue ;; esac ;;
  esac
  output=${name%.*}$LL_EXTENSION
  if [ "$output" = "$name" ]; then
    echo "$path" >>"$LL_WORK/made"
    failed "its compiler would replace it; choose another extension"
    continue
  fi
  if grep -Fqx -e "$folder/$output" "$LL_WORK/made"; then
    failed "another file makes $output already; rename one or narrow the pattern"
    continue
  fi
  printf '%s\\n' "$folder/$output" >>"$LL_WORK/made"
  key=$(printf '%s\\n' 1 "$path" "$LL_RUN" "$LL_EXTENSION" "$LL_STATE" | sha256sum)
  kept=$LL_CACHE/${key%% *} new=$LL_TOP/$folder/.compiled how=unchanged
  made=$new/$output
  if [ ! -d "$kept" ]; then
    how=compiled
    compile
    [ -d "$kept" ] || continue
  fi
  touch "$kept"
  for item in "$kept"/*; do
    if [ -d "$item" ]; then
      cp -R "$item" "$folder/"
    else
      cp "$item" "$folder/${item##*/}.new-$$"
      mv -f "$folder/${item##*/}.new-$$" "$folder/${item##*/}"
    fi
  done
  echo "$how: $path -> $output"
done
"""

_FAILURES = {
    _MISSING: Failure(
        "step-failed",
        "The static files are not where the recipe says",
        "Correct `static.path` of the recipe, or the command that collects the files.",
    ),
    _REFUSED: Failure(
        "tool-missing",
        "The program of a compiler is not on the host",
        "Install it on the host, or write its path below the release in `static.compilers`.",
    ),
    _FAILED: Failure(
        "step-failed",
        "Static files could not be compiled",
        "Correct these files, or `static.compilers` of the recipe.",
    ),
}


def compile_files(static_path: str, compiler: Compiler, around: Surroundings) -> Command:
    """Make one file of each that fits, beside it; safe to repeat. Runs in the release."""
    text = recipe_step.script(
        _ALL, around, timeout=_LONGEST, silence=_LONGEST_FILE, failures=_FAILURES
    )
    words = shlex.split(compiler.run)
    env = {
        "LL_STATIC": static_path.rstrip("/"),
        "LL_MATCH": compiler.match,
        "LL_EXTENSION": compiler.extension,
        "LL_RUN": compiler.run,
        "LL_NAME": words[0],
        "LL_EACH": _EACH.replace("{command}", _command(words)),
    }
    return Command(
        text.script,
        env={**text.env, **env},
        paths=text.paths,
        secrets=text.secrets,
        cwd=text.cwd,
        timeout=text.timeout,
        silence=text.silence,
        failures=text.failures,
    )


def _command(words: list[str]) -> str:
    """Shell text of the words: nothing in them is expanded but the two files."""
    return " ".join(['"$LL_PROGRAM"', *(_word(word) for word in words[1:])])


def _word(word: str) -> str:
    files = {"{in}": '"$LL_TOP/$source"', "{out}": '"$made"'}
    pieces = re.split(r"(\{in\}|\{out\})", word)
    return "".join(files.get(piece) or shlex.quote(piece) for piece in pieces if piece) or "''"
