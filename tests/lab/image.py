# SPDX-License-Identifier: GPL-2.0-only
"""Builds the lab host's system: Debian's cloud kernel and a small initramfs with an SSH server and kexec.

Nothing is installed: packages are only downloaded, by apt, and taken apart. It takes some seconds.
"""

from __future__ import annotations

import lzma
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.build.guest import initramfs

PACKAGES = ("busybox-static", "dropbear-bin", "kexec-tools", "openssh-sftp-server")
KERNEL = "linux-image-cloud-amd64"
PROGRAMS = ("usr/sbin/dropbear", "usr/sbin/kexec", "usr/lib/openssh/sftp-server")
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/systemd")
MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders that are links into usr/, as on an installed Debian, whichever of the two a package uses."""
MODULES = (
    *("virtio_pci", "virtio_net", "virtio_blk", "ramoops"),
    *("vfat", "nls_cp437", "nls_ascii", "efivarfs"),
)
MODULE_NAMES = (
    *("virtio", "failover", "net_failover", "ramoops", "reed_solomon"),
    *("fat", "nls", "efivarfs"),
)
"""How the names of these begin, and of those that they need."""
SFTP_SERVER = "usr/lib/sftp-server"
"""Where Debian's dropbear looks for it."""
HOST_KEY = "etc/dropbear/host_key"
ADDRESS = "10.0.2.15/24"
"""What QEMU's user network forwards to."""
READY = "lab host is up"
RAMOOPS = {
    "mem_address": 0x30000000,
    "mem_size": 0x200000,
    "record_size": 0x20000,
    "console_size": 0x100000,
    "pmsg_size": 0x20000,
    "ftrace_size": 0,  # older kernels look for pmsg behind it, newer ones before it
}
"""Parameters of the module, for both kernels, where the memory has neither kernel nor firmware."""
RESERVED = f"memmap={RAMOOPS['mem_size']:#x}${RAMOOPS['mem_address']:#x}"
"""Keeps both kernels out of it."""

INIT = """\
#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /run /tmp /var /root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
{insmods}
mount -t pstore pstore /sys/fs/pstore
mount -t ext4 /dev/vda /var
[ -b /dev/vdb1 ] && mkdir /boot && for type in vfat ext4; do mount -t $type /dev/vdb1 /boot && break; done
[ -d /sys/firmware/efi/efivars ] && mount -t efivarfs efivarfs /sys/firmware/efi/efivars
ip link set lo up
ip addr add {address} dev eth0
ip link set eth0 up
dropbear -s -r /{host_key}
trap 'cd /; sync; umount -r /boot /var; reboot -f' TERM
echo {ready} >/dev/console
while :; do sleep 1; done
"""


@dataclass(frozen=True)
class Image:
    """What QEMU boots, and what is needed to log in."""

    kernel: Path
    initramfs: Path
    key: Path
    """The private key that may log in as root."""
    host_key: str
    """Type and key, as in known_hosts."""
    root: Path
    """All that the packages have."""


def build_image(folder: Path, packages: tuple[str, ...] = (), programs: tuple[str, ...] = ()) -> Image:
    """Download, unpack and pack, all in `folder`; more packages for a boot loader, and programs of theirs."""
    root = folder / "root"
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in _download(folder / "packages", (*PACKAGES, *packages)):
        _unpack(package, root)
    kernel = next((root / "boot").glob("vmlinuz-*"))
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)
    host_key = _make_host_key(root, folder / "host_key")
    modules = dict(_modules(root))
    entries = {
        "init": initramfs.Entry(0o100755, _init(modules).encode()),
        "dev/console": initramfs.console(),
        "bin/busybox": initramfs.program(root / "bin/busybox"),
        "etc/passwd": initramfs.text("root::0:0:root:/root:/bin/sh\n"),
        "etc/group": initramfs.text("root:x:0:\n"),
        "etc/shells": initramfs.text("/bin/sh\n"),
        "root/.ssh/authorized_keys": initramfs.text(key.with_suffix(".pub").read_text()),
        HOST_KEY: initramfs.program(folder / "host_key"),
        **{f"modules/{name}.ko": initramfs.Entry(0o100644, content) for name, content in modules.items()},
        **_programs(root, (*PROGRAMS, *programs)),
    }
    archive = folder / "initramfs.cpio"
    archive.write_bytes(initramfs.archive(entries))
    return Image(kernel, archive, key, host_key, root)


def _download(folder: Path, packages: tuple[str, ...]) -> list[Path]:
    """The packages with all that they depend on; the kernel alone."""
    (folder / "partial").mkdir(parents=True)
    (folder / "status").touch()
    alone = ("-o", f"Dir::Cache::archives={folder}", "-o", f"Dir::State::status={folder}/status")
    options = ("-qq", "-y", "--no-install-recommends", "--download-only", "-o", "Debug::NoLocking=1", *alone)
    subprocess.run(["apt-get", *options, "install", *packages], check=True)
    said = subprocess.run(["apt-cache", "depends", KERNEL], check=True, capture_output=True, text=True)
    kernel = re.findall(r"Depends: (linux-image-\S+)", said.stdout)[0]
    # Where it stands must be readable for apt's own user, or it warns.
    subprocess.run(["apt-get", "-qq", "download", kernel], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    wanted = ("lib", "zlib", *packages, kernel)
    return [package for package in folder.glob("*.deb") if package.name.startswith(wanted)]


def _unpack(package: Path, root: Path) -> None:
    """All of a package but for the modules of the kernel that nobody wants; they are most of it."""
    unpack = ["tar", "-x", "--keep-directory-symlink", "-C", str(root)]
    if package.name.startswith("linux-"):
        wanted = ("./boot/vmlinuz-*", *(f"*/{word}*.ko*" for word in MODULE_NAMES))
        unpack += ["--wildcards", *wanted]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as archive:
        subprocess.run(unpack, stdin=archive.stdout, check=True)
    assert archive.returncode == 0, package


def _make_host_key(root: Path, path: Path) -> str:
    command = [str(root / "usr/bin/dropbearkey"), "-t", "ed25519", "-f", str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=_linked_to(root)).stdout
    return " ".join(re.findall(r"^(ssh-ed25519) (\S+)", said, re.MULTILINE)[0])


def _linked_to(root: Path) -> dict[str, str]:
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(str(root / folder) for folder in LIBRARIES)}


def _programs(root: Path, names: tuple[str, ...]) -> Mapping[str, initramfs.Entry]:
    """The programs and their shared libraries, which all lie in one folder of the guest."""
    entries = {name: initramfs.program(root / name) for name in names}
    entries[SFTP_SERVER] = entries.pop("usr/lib/openssh/sftp-server")
    environment = _linked_to(root)
    for name in names:
        command = ["ldd", str(root / name)]  # what is a script has no libraries
        said = subprocess.run(command, check=False, capture_output=True, text=True, env=environment).stdout
        for library in re.findall(r"=> (\S+)", said):
            entries[f"lib/{Path(library).name}"] = initramfs.program(Path(library))
    entries["lib64/ld-linux-x86-64.so.2"] = initramfs.program(root / "lib64/ld-linux-x86-64.so.2")
    return entries


def _modules(root: Path) -> Iterator[tuple[str, bytes]]:
    """Modules in the order in which they can be loaded."""
    found = root.glob("usr/lib/modules/**/*.ko*")
    files = {path.name.partition(".ko")[0].replace("-", "_"): path for path in found}
    loaded: set[str] = set()

    def load(name: str) -> Iterator[tuple[str, bytes]]:
        if name in loaded or name not in files:
            return  # what is no file is built in
        loaded.add(name)
        content = files[name].read_bytes()
        content = lzma.decompress(content) if files[name].suffix == ".xz" else content
        depends = re.findall(rb"\0depends=([^\0]*)\0", content)[0].decode()
        for needed in filter(None, depends.split(",")):
            yield from load(needed)
        yield name, content

    for name in MODULES:
        yield from load(name)


def _init(modules: Mapping[str, bytes]) -> str:
    parameters = {"ramoops": "".join(f" {name}={value}" for name, value in RAMOOPS.items())}
    insmods = "\n".join(f"insmod /modules/{name}.ko{parameters.get(name, '')}" for name in modules)
    return INIT.format(insmods=insmods, address=ADDRESS, host_key=HOST_KEY, ready=READY)
