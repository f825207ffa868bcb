"""What boots a kernel; every kind of machine follows one protocol."""
