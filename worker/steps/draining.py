"""Requests that are under way at an app server: waited for, until its connections have ended."""

import ipaddress

from worker.steps.step import Command

#: Seconds between two lines about how it goes, and beyond the wait itself.
_TELL, _MORE = 5, 60

_DRAIN = """\
set -eu
tables=
for table in /proc/net/tcp /proc/net/tcp6; do
  [ ! -r "$table" ] || tables="$tables $table"
done
if [ -z "$tables" ] || ! command -v awk >/dev/null; then
  echo "this host does not show its connections (/proc/net/tcp and awk); nothing is waited for"
  echo "connections_left=unknown"
  exit 0
fi
# 01 is ESTABLISHED; the second column is the local end, which is the site's.
count() {
  awk -v port="$PORT_IN_HEX" -v wanted="$ADDRESSES_IN_HEX" '
    BEGIN { any = split(wanted, list, " ") == 0; for (i in list) known[list[i]] = 1 }
    $4 == "01" && split($2, end, ":") == 2 && end[2] == port && (any || end[1] in known) { n++ }
    END { print n + 0 }
  ' $tables
}
begun=$(date +%s) told=0
while left=$(count); [ "$left" -gt 0 ]; do
  gone=$(($(date +%s) - begun))
  if [ "$gone" -ge "$told" ]; then
    echo "after $gone s, connections to the app server: $left; waiting for at most $MOST s"
    told=$((gone + TELL))
  fi
  [ "$gone" -lt "$MOST" ] || break
  sleep 0.2 2>/dev/null || sleep 1
done
if [ "$left" = 0 ]; then
  echo "no connection to the app server is left"
else
  echo "connections that are still open after $MOST s: $left"
fi
echo "connections_left=$left"
"""


def drain(address: str, port: int, *, most: float) -> Command:
    """Wait until nobody is connected to the app server, at most so many seconds.

    Reports `connections_left`: a number, or `unknown` where the host does not show it. It ends
    well in each case: whoever stays connected goes on being served.
    """
    return Command(
        _DRAIN,
        env={
            "PORT_IN_HEX": f"{port:04X}",
            "ADDRESSES_IN_HEX": " ".join(_in_hex(address)),
            "MOST": str(round(most)),
            "TELL": str(_TELL),
        },
        timeout=most + _MORE,
        reports=("connections_left",),
    )


def _in_hex(address: str) -> tuple[str, ...]:
    """As the kernel writes it, in the two tables; of a name it knows nothing."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ()
    words = [found.packed[at : at + 4] for at in range(0, len(found.packed), 4)]
    # Each word of four bytes in the order of the processor, which is nearly always this one.
    text = "".join(word[::-1].hex().upper() for word in words)
    if found.version == 4:  # noqa: PLR2004 - the version of IP
        return text, f"0000000000000000FFFF0000{text}"
    return (text,)
