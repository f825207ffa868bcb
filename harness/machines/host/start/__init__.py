"""Ways to start a kernel on a physical host once."""
