"""Object stores: publish a build once, prove it, remove what nobody names any more."""
