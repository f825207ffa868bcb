"""Physical hosts: their records, the way to them, who has them, and how they are brought back."""
