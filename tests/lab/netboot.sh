#!/bin/sh
# One machine that PXELINUX starts: netboot.sh TFTP_FOLDER MAC_ADDRESS. The menu by its MAC address is ours;
# without one it takes pxelinux.cfg/default, which must name its own kernel.
set -eu
ours=$1/$THP_HOST menu=$1/pxelinux.cfg/01-$(echo "$2" | tr A-F: a-f-)
rm -rf "$menu" "$ours"
[ "$THP_BOOT" = test ] || exit 0
mkdir "$ours"
cp "$THP_KERNEL" "$ours/kernel"
cp "$THP_INITRAMFS" "$ours/initramfs"
chmod -R a+rX "$ours"
printf 'default ours\nlabel ours\nkernel %s\ninitrd %s\nappend %s\n' \
	"$THP_HOST/kernel" "$THP_HOST/initramfs" "$THP_CMDLINE" >"$menu.new"
mv "$menu.new" "$menu"
