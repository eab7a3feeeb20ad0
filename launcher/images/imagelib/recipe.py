"""What goes into which image."""

import dataclasses
import gzip
import hashlib
from pathlib import Path

from .firmware import Firmware
from .modules import Modules
from .packages import kernel_package, known
from .tree import Tree

GUEST = Path(__file__).resolve().parent.parent / "guest"
ALIGNMENT = 512  # of the image's length, so that another archive can follow it

COMMON_PACKAGES = (
    "busybox", "dhcpcd-base", "iproute2",
    "libc6", "libgcc-s1", "libudev1", "libbpf1", "libbsd0", "libcap2", "libelf1", "libmd0",
    "libmnl0", "libselinux1", "libpcre2-8-0", "zlib1g", "libtirpc3", "libxtables12", "libdb5.3")
COMMON_FILES = ("usr/sbin/dhcpcd", "usr/bin/ip")
COMMON_MODULES = (
    "virtio_pci", "virtio_net", "virtio_blk", "virtio_rng", "virtio_console", "button", "evdev")

ROUTER_PACKAGES = (
    "dnsmasq-base", "dnsmasq-utils", "nftables", "conntrack", "jq",
    "libdbus-1-3", "libgmp10", "libhogweed6", "libidn2-0", "libnetfilter-conntrack3", "libnettle8",
    "libnftables1", "libnftnl11", "libnfnetlink0", "libsystemd0", "libunistring2", "liblz4-1",
    "libzstd1", "liblzma5", "libgcrypt20", "libgpg-error0", "libcap2", "libedit2", "libtinfo6",
    "libjansson4", "libjq1", "libonig5", "libxtables12")
ROUTER_FILES = (
    "usr/sbin/dnsmasq", "usr/bin/dhcp_release", "usr/sbin/nft", "usr/sbin/conntrack", "usr/bin/jq")
ROUTER_DRIVERS = (
    "drivers/net/ethernet/", "drivers/net/phy/", "drivers/net/mdio/", "drivers/net/usb/",
    "xhci_pci", "ehci_pci", "vmxnet3")
FIREWALL_MODULES = (
    "crc32c_generic", "nf_tables", "nft_chain_nat", "nft_connlimit", "nft_ct", "nft_fib_inet",
    "nft_limit", "nft_masq", "nft_nat", "nf_conntrack_netlink")

WIRELESS_PACKAGES = (
    "wpasupplicant", "iw", "libnl-3-200", "libnl-genl-3-200", "libnl-route-3-200", "libpcsclite1",
    "libreadline8", "libssl3", "wireless-regdb")
WIRELESS_FILES = (
    "usr/sbin/wpa_supplicant", "usr/sbin/wpa_cli", "usr/sbin/iw",
    "usr/lib/firmware/regulatory.db-debian", "usr/lib/firmware/regulatory.db.p7s-debian")
# What Debian's alternatives make at installation. Its kernel trusts the signature of this one.
WIRELESS_LINKS = (
    ("usr/lib/firmware/regulatory.db", "regulatory.db-debian"),
    ("usr/lib/firmware/regulatory.db.p7s", "regulatory.db.p7s-debian"))
WIRELESS_DRIVERS = ("drivers/net/wireless/", "mac80211_hwsim")
# Ciphers of WPA, which mac80211 asks for by name: no driver depends on them.
WIRELESS_MODULES = ("ccm", "ctr", "cmac", "gcm", "ghash_generic")
# Taken where apt knows them: most are in an archive area that many machines do not use. Of the wired
# ones firmware-netronome, -cavium and -myricom are left out: 150 MB for three rare families.
WIRED_FIRMWARE = ("firmware-realtek", "firmware-bnx2", "firmware-bnx2x", "firmware-misc-nonfree",
                  "firmware-qlogic")
WIRELESS_FIRMWARE = (
    "firmware-ath9k-htc", "firmware-atheros", "firmware-brcm80211", "firmware-iwlwifi",
    "firmware-libertas")


@dataclasses.dataclass(frozen=True)
class Recipe:
    kernel: str  # the package that depends on the kernel of the day
    packages: tuple
    files: tuple
    modules: tuple  # loaded at boot
    drivers: tuple  # loaded when there is a device for them
    overlays: tuple  # directories below guest/
    firmware: tuple = ()
    links: tuple = ()


RECIPES = {
    "app": Recipe("linux-image-cloud-amd64", COMMON_PACKAGES, COMMON_FILES, COMMON_MODULES, (),
                  ("common", "app")),
    "router": Recipe("linux-image-amd64", COMMON_PACKAGES + ROUTER_PACKAGES,
                     COMMON_FILES + ROUTER_FILES, COMMON_MODULES + FIREWALL_MODULES, ROUTER_DRIVERS,
                     ("common", "router"), WIRED_FIRMWARE),
    "router-wireless": Recipe("linux-image-amd64",
                              COMMON_PACKAGES + ROUTER_PACKAGES + WIRELESS_PACKAGES,
                              COMMON_FILES + ROUTER_FILES + WIRELESS_FILES,
                              COMMON_MODULES + FIREWALL_MODULES + WIRELESS_MODULES,
                              ROUTER_DRIVERS + WIRELESS_DRIVERS,
                              ("common", "router", "wireless"),
                              WIRED_FIRMWARE + WIRELESS_FIRMWARE, WIRELESS_LINKS),
}


@dataclasses.dataclass(frozen=True)
class Built:
    """`unpacked`: bytes that the guest's memory holds of it. `contents`: names of the files inside.
    `packages`: as Debian names their files. `notes`: what whoever builds it should know."""
    kernel: bytes
    initramfs: bytes
    unpacked: int
    contents: list
    packages: list
    notes: list

    @property
    def digest(self):
        return hashlib.sha256(self.kernel + self.initramfs).hexdigest()


def _padded(data):
    return data + b"\0" * (-len(data) % ALIGNMENT)


def _add_firmware(tree, modules, recipe, packages):
    """Returns what to say about what is missing."""
    firmware = Firmware(tree)
    for module, names in modules.firmware():
        firmware.take(module, names)
    unknown = sorted(set(recipe.firmware) - set(packages))
    notes = []
    if firmware.missing and recipe.firmware:
        notes.append("lacks firmware that these may ask for: " + " ".join(sorted(firmware.missing)))
    if unknown:
        notes.append(f"apt knows no {' '.join(unknown)}: for cards that need their firmware add the "
                     "area non-free-firmware to apt's sources, run apt-get update, and build again")
    return notes


def build(name, cache):
    """Builds one image from what the cache has or fetches. The same packages give the same bytes."""
    recipe = RECIPES[name]
    linux = kernel_package(recipe.kernel)
    firmware = tuple(package for package in recipe.firmware if known(package))
    directories = cache.unpack(sorted({linux, *recipe.packages, *firmware}))
    packages = sorted(path.name for path in directories.values())
    kernel_root = directories.pop(linux)
    tree = Tree(directories)
    for overlay in recipe.overlays:
        tree.overlay(GUEST / overlay)
    tree.take(*recipe.files)
    for path, target in recipe.links:
        tree.link(path, target)
    tree.busybox()
    modules = Modules(kernel_root)
    modules.choose_plain(*recipe.modules)
    modules.choose(*recipe.drivers)
    modules.add_to(tree)
    notes = _add_firmware(tree, modules, recipe, firmware)
    tree.link("init", "usr/bin/busybox")
    tree.text("etc/image", [name])
    tree.text("etc/modules", recipe.modules)
    [kernel] = kernel_root.glob("boot/vmlinuz-*")
    archive = tree.cpio()
    return Built(kernel.read_bytes(), _padded(gzip.compress(archive, 6, mtime=0)), len(archive),
                 tree.names(), packages, notes)
