"""QEMU system emulators."""
