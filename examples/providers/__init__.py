"""Programs that make machines for Liftlock; docs/providers.md tells how they are called."""
