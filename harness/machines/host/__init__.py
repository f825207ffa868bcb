"""Physical hosts."""
