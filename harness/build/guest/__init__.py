"""The initramfs and the programs in it."""
