"""What boots a kernel: one protocol, several kinds of machine."""
