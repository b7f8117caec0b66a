"""What the campaign deploys: steps that say on the host when they began and ended, a light site."""

import shutil

NAME = "campaign"

#: Steps, and how many fifths of a second each works.
_STEPS = {"first": 2, "second": 5, "third": 4, "last": 5}
#: Sites end by themselves: beside a hundred others they would fill the machine.
_SECONDS = 120
#: `effects.log` is the judge's only witness on the host: one short line is one write.
_STEP = """
  - name: {name}
    run: |
      say() {{ echo "$(date +%s%N) $1 $LIFTLOCK_STEP $INSTANCE" >> "$EFFECTS"; }}
      say begin
      n=0
      while [ "$n" -lt {naps} ]; do n=$((n + 1)); echo "line $n of {name}"; sleep 0.2; done
      say end"""
#: Which of the app servers has its background parts running is told by the last lines of `diary`.
_BACKGROUND = """
  - name: worker
    run: |
      say() {{ echo "$(date +%s%N) $1 $LIFTLOCK_STEP $INSTANCE" >> "$EFFECTS"; }}
      say begin
      echo "{verb} ${{RELEASE_DIR##*-}}" >> "$SHARED_DIR/diary"
      sleep 0.3
      say end"""
_RECIPE = """
name: {name}
settings:
  EFFECTS: {{required: true}}
preflight: {{disk_mb: 1}}
build:{steps}
start:
  run: exec timeout {seconds} {server}
stop: {{timeout: 2}}
check: {{path: /, tries: 200, every: 0.2}}
background:
  start:{start}
  stop:{stop}
"""


def source() -> str:
    """YAML for POST /v1/recipes."""
    steps = "".join(_STEP.format(name=name, naps=naps) for name, naps in _STEPS.items())
    start, stop = (
        _BACKGROUND.format(verb=verb).replace("\n", "\n  ") for verb in ("start", "stop")
    )
    return _RECIPE.format(
        name=NAME, steps=steps, seconds=_SECONDS, server=_server(), start=start, stop=stop
    )


def _server() -> str:
    if shutil.which("busybox"):
        return 'busybox httpd -f -p "$BIND:$PORT" -h .'
    return 'python3 -m http.server "$PORT" --bind "$BIND"'
