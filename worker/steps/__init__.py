"""How one thing is done on a host, as values: pure, nothing here touches a host."""
