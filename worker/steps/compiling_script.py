"""The shell text that compiles static files on a host, as worker.assets does where it runs.

`LL_COMPILERS` counts the compilers; those variables that end in a number, from 1, are of one.
"""

NO_FOLDER, NO_PROGRAM, FAILED = 83, 84, 85

#: What is to be done, and whether it can be: nothing is compiled before all of that is known.
_PLAN = """\
[ -d "$LL_STATIC" ] || { echo "there is no folder $LL_STATIC in $(pwd)" >&2; exit {no_folder}; }
top=$(pwd) tab=$(printf '\\t') cache=$SHARED_DIR/.compiled
mkdir -p "$cache"
# What is unused for long, and what a killed run left.
for entry in "$cache"/* "$cache"/.new-*; do
  case $entry in */.new-*) days=1 ;; *) days=30 ;; esac
  [ -z "$(find "$entry" -prune -mtime "+$days" 2>/dev/null)" ] || rm -rf "$entry"
done
work=$(mktemp -d "$cache/.new-XXXXXX")
trap 'rm -rf "$work"' EXIT
: >"$work/all"
: >"$work/made"
choose() {
  eval "match=\\$LL_MATCH_$1 extension=\\$LL_EXTENSION_$1 run=\\$LL_RUN_$1"
  eval "program=\\$LL_PROGRAM_$1 command=\\$LL_COMMAND_$1"
}
state() {
  file=$(readlink -f "$1" 2>/dev/null || printf '%s' "$1")
  case $file in /*) ;; *) file=/ ;; esac # a builtin of the shell
  if [ -f "$file" ]; then sha256sum <"$file"; fi
  package=${file%/*}
  while [ -n "$package" ] && [ ! -f "$package/package.json" ]; do package=${package%/*}; done
  cat "$package/package.json" 2>/dev/null || true
}
# Lines of three words: a compiler's number, its source, what it makes of it.
(cd "$LL_STATIC" && find . -type f ! -path '*/.*' ! -path '*[[:cntrl:]]*' | LC_ALL=C sort) \\
  >"$work/files"
number=0
while [ "$number" -lt "$LL_COMPILERS" ]; do
  number=$((number + 1)) fits=
  choose "$number"
  while IFS= read -r path; do
    path=${path#./} name=${path##*/}
    case $path in
      $match) ;;
      *) case $name in $match) ;; *) continue ;; esac ;;
    esac
    fits=yes
    printf '%s\\t%s\\t%s\\n' "$number" "$path" "${path%"$name"}${name%.*}$extension" >>"$work/all"
  done <"$work/files"
  [ -n "$fits" ] || echo "nothing below $LL_STATIC fits $match"
done
# What a compiler makes is no source: a second run, in which it is there, does the same.
LC_ALL=C awk -F '\\t' '
  NR == FNR { if ($2 != $3) made[$3]; next }
  !($2 in made)
' "$work/all" "$work/all" >"$work/todo"
LC_ALL=C awk -F '\\t' '
  $2 == $3 { print $2 ": its compiler would replace it; choose another extension"; next }
  !($3 in by) { by[$3] = $2; next }
  by[$3] == $2 { print "two compilers make " $3 " of " $2 "; narrow the `match` of one"; next }
  { print $3 " is made of " by[$3] " and of " $2 "; rename one or narrow `match`" }
' "$work/todo" >"$work/conflicts"
cat "$work/conflicts" >&2
missing=
for number in $(cut -f 1 "$work/todo" | sort -nu); do
  choose "$number"
  found=$(command -v "$program" 2>/dev/null) || {
    echo "there is no program $program for $match; PATH is $PATH" >&2
    missing=yes
    continue
  }
  case $found in
    /*) ;;
    */*) found=$top/$found ;;
  esac
  printf '%s' "$found" >"$work/program-$number"
  state "$found" >"$work/state-$number"
done
[ -z "$missing" ] || exit {no_program}
[ ! -s "$work/conflicts" ] || exit {failed}
"""

#: What a file may include is known to its compiler alone, so all static files, the packages and
#: the program are part of the name of what is kept.
_COMPILE = """\
# Files among the words, as in `node tools/build.js {in}`.
others() {
  shift
  for word; do
    if [ -f "$word" ]; then sha256sum <"$word"; fi
  done
}
tree=$(
  (cd "$LL_STATIC" && find . -type f -exec sha256sum {} + | LC_ALL=C sort)
  for file in package.json package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml \\
    tsconfig.json
  do
    if [ -f "$file" ]; then sha256sum "$file"; fi
  done
)
tree=$(printf '%s' "$tree" | sha256sum)
failed() {
  printf '%s: %s\\n' "$path" "$1" >&2
  echo "$path" >>"$work/failed"
}
compile() {
  # In the source's folder: a source map then has the same path to it in every release.
  rm -rf "$new"
  mkdir "$new"
  code=0
  (cd "$folder" && eval "$command") >"$work/log" 2>&1 </dev/null || code=$?
  # Without colors; a launcher may add the story of its own end to what the program said.
  sed "s/$(printf '\\033')\\[[0-9;]*[A-Za-z]//g" "$work/log" >"$work/words"
  said=$(cat "$work/words")
  if [ "$(wc -l <"$work/words")" -gt 31 ]; then
    said=$(head -n 10 "$work/words"; echo ...; tail -n 20 "$work/words")
  fi
  if [ "$code" != 0 ]; then
    failed "\\`$run\\` ended with exit code $code. It said:
$said"
  elif odd=$(cd "$new" && find . ! -type f ! -type d) && [ -n "$odd" ]; then
    # A link would bring in what it leads to, here and in every release that takes it.
    failed "\\`$run\\` left what is no file: $odd"
  elif [ ! -f "$made" ] || [ ! -s "$made" ]; then
    failed "\\`$run\\` ended with exit code 0 and left nothing for $output. It said:
$said"
  else
    cp -R "$new" "$work/new"
    mv "$work/new" "$kept"
  fi
  rm -rf "$new"
}
while IFS=$tab read -r number path output; do
  choose "$number"
  program=$(cat "$work/program-$number")
  source=$top/$LL_STATIC/$path how=unchanged
  folder=${source%/*}
  new=$folder/.compiled
  made=$new/${output##*/}
  state=$(cat "$work/state-$number"; cd "$folder"; eval "others $command")
  key=$(printf '%s\\n' 2 "$path" "$run" "$extension" "$state" "$tree" | sha256sum)
  kept=$cache/${key%% *}
  if [ ! -d "$kept" ]; then
    how=compiled
    compile
    [ -d "$kept" ] || continue
  fi
  touch "$kept"
  echo "$how: $path -> $output"
  printf '%s\\t%s\\t%s\\n' "$kept" "$folder" "$path" >>"$work/made"
done <"$work/todo"
[ ! -s "$work/failed" ] || exit {failed}
"""

#: Two compilers may also write the same file beside what they were asked for.
_PLACE = """\
while IFS=$tab read -r kept folder path; do
  (cd "$kept" && find . -type f ! -path '*/.*') | while IFS= read -r item; do
    printf '%s\\t%s\\n' "$folder/${item#./}" "$path"
  done
done <"$work/made" >"$work/placed"
LC_ALL=C awk -F '\\t' '
  ($1 in by) { print $1 " is made of " by[$1] " and of " $2 "; rename one or narrow `match`" }
  { by[$1] = $2 }
' "$work/placed" >"$work/conflicts"
cat "$work/conflicts" >&2
[ ! -s "$work/conflicts" ] || exit {failed}
while IFS=$tab read -r kept folder path; do
  for item in "$kept"/*; do
    if [ -d "$item" ]; then
      cp -R "$item" "$folder/"
    else
      cp "$item" "$folder/${item##*/}.new-$$"
      mv -f "$folder/${item##*/}.new-$$" "$folder/${item##*/}"
    fi
  done
done <"$work/made"
"""

TEXT = (
    (_PLAN + _COMPILE + _PLACE)
    .replace("{no_folder}", str(NO_FOLDER))
    .replace("{no_program}", str(NO_PROGRAM))
    .replace("{failed}", str(FAILED))
)
