"""The peer: plain arq with an API and the same writes, as one would build it without Liftlock."""
