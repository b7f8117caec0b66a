"""Sites to try Liftlock with."""
