"""The Hercules emulator, for s390."""
