"""Where work happens: the only room that opens SSH, and the script it ships to the hosts."""
