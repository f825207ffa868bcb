"""From a checkout to a kernel image and an initramfs."""
