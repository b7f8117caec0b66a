"""The fault campaign: a whole Liftlock with its hosts, a load on it, and what goes wrong there."""
