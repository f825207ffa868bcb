# SPDX-License-Identifier: GPL-2.0-only
"""Has a host start another kernel once, by GRUB: whatever becomes of it, the next boot is the host's own.

Kernel and initramfs stand in /boot (grub-reboot(8); the menu is that of the GRUB manual's `custom.cfg`, which
a grub.cfg made by grub-mkconfig includes).
"""

from __future__ import annotations

import shlex

from harness.machines.host.start.bootloader import ENTRY, GIVE_UP, BootEntry

FOLDER = f"/boot/{ENTRY}"
_FIND = f"""\
{GIVE_UP}home='' begin='# {ENTRY}: begin' end='# {ENTRY}: end'
for grub in grub grub2; do
	[ -f /boot/$grub/grub.cfg ] && command -v $grub-reboot >/dev/null && home=/boot/$grub && break
done
[ -n "$home" ] || give_up "it is not started by GRUB: no grub-reboot, or no grub.cfg in /boot/grub"
"""
_FIT = r"""
for word in next_entry custom.cfg; do
	grep -qF "$word" $home/grub.cfg || give_up "$home/grub.cfg knows no $word: grub-mkconfig has not made it"
done
if $grub-probe --target=abstraction $home | grep -qE 'lvm|diskfilter|mdraid|cryptodisk'; then
	give_up "$home is on LVM or RAID: GRUB can't write there, and would start our kernel for ever"
fi
"""
"""What GRUB can't forget, it starts again."""
_REMOVE = f"""
if [ -f $home/custom.cfg ] && grep -qx "$begin" $home/custom.cfg; then
	sed "/^$begin\\$/,/^$end\\$/d" $home/custom.cfg >$home/custom.new
	cat $home/custom.new >$home/custom.cfg
	rm $home/custom.new
	[ -s $home/custom.cfg ] || rm $home/custom.cfg
fi
rm -rf {FOLDER}
if $grub-editenv $home/grubenv list | grep -qx 'next_entry={ENTRY}'; then
	$grub-editenv $home/grubenv unset next_entry
fi
sync
"""
_INSTALL = f"""
mkdir -p {FOLDER}
cp "$folder/kernel" "$folder/initramfs" {FOLDER}
kernel=$($grub-mkrelpath {FOLDER}/kernel) initramfs=$($grub-mkrelpath {FOLDER}/initramfs)
printf '%s\\n' "$begin" "menuentry {ENTRY} --id {ENTRY} {{" \\
	"	search --no-floppy --set=root --file $kernel" \\
	"	linux $kernel $cmdline" "	initrd $initramfs" '}}' "$end" >>$home/custom.cfg
$grub-reboot {ENTRY}
$grub-editenv $home/grubenv list | grep -qx 'next_entry={ENTRY}'
sync
"""
MENU = BootEntry("GRUB", _FIND, _FIT, _REMOVE, _INSTALL, shlex.join)
"""GRUB's quoting is the shell's."""
