#!/usr/bin/env python3
"""A wireless card as the router's way out.

Two simulated radios (mac80211_hwsim) are in the router VM. One is the router's card; the other is
in a network namespace there, with an access point (hostapd) and what lies beyond it: a DHCP server,
RA, and a far address. That namespace knows no way to the clients' network. No play host.
"""

import json
import pathlib
import sys
import unittest

from image_guest import IMAGES, ImageGuest, Switch
from playhost import machine, sandbox

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "launcher/images"))

from imagelib.packages import PackageCache  # noqa: E402
from imagelib.tree import Tree  # noqa: E402

LIBRARIES = ("libc6", "libgcc-s1", "libssl3", "libnl-3-200", "libnl-genl-3-200", "libnl-route-3-200")
# Fetched while there is a network: in the sandbox there is none.
PACKAGES = PackageCache(IMAGES / "cache").unpack(("hostapd", *LIBRARIES))

sandbox.enter()

ROUTER_MAC, CLIENT_MAC = "02:00:00:00:00:01", "02:00:00:00:0a:02"
CONFIG = {"segments": [{"mac": ROUTER_MAC, "network": "10.64.0.0/16"}],
          "clients": [{"name": "a", "mac": CLIENT_MAC, "address": "10.64.10.2"}]}
NETWORK = 'network={\n  ssid="play"\n  psk="twelve words"\n}\n'
FAR, FAR6 = "10.98.0.1", "fd98::1"
ACCESS_POINT = """interface=wlan1
driver=nl80211
ssid=play
hw_mode=g
channel=1
wpa=2
wpa_key_mgmt=WPA-PSK
rsn_pairwise=CCMP
wpa_passphrase=twelve words
"""
# What stands behind the access point, in the namespace of its radio.
BEYOND = f"""ip link set lo up
ip address add {FAR}/32 dev lo
ip address add {FAR6}/128 dev lo nodad
hostapd -B -f /tmp/hostapd.log /etc/hostapd.conf
ip address add 10.99.0.1/24 dev wlan1
ip address add fd99::1/64 dev wlan1 nodad
sysctl -q -w net.ipv6.conf.all.forwarding=1
dnsmasq --conf-file=/dev/null --pid-file= --user=root --group=root --port=0 --interface=wlan1 \
  --bind-dynamic --dhcp-leasefile=/run/air.leases --dhcp-range=10.99.0.100,10.99.0.199,1h \
  --enable-ra --dhcp-range=fd99::,ra-only,64,1h --no-ping --dhcp-authoritative
"""
UP_WITHIN = 240  # seconds; some ten on an idle machine


def access_point():
    """hostapd, which no image has, as an archive behind that of the router."""
    tree = Tree(PACKAGES)
    tree.take("usr/sbin/hostapd")
    tree.text("etc/hostapd.conf", [ACCESS_POINT], 0o600)
    tree.text("etc/beyond", [BEYOND])
    return tree.cpio()


class Wireless(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = machine.temporary_directory()
        cls.addClassCleanup(temporary.cleanup)
        cls.directory = pathlib.Path(temporary.name)
        cls.switch = Switch(cls.directory, {"router": False, "a": True})
        cls.addClassCleanup(cls.switch.process.kill)
        cls.router = cls.guest("router-wireless", cls.switch.device("router", ROUTER_MAC),
                               name="router", memory=256, more=access_point(),
                               files={"etc/router.json": json.dumps(CONFIG).encode(),
                                      "etc/wireless.conf": NETWORK.encode()})
        cls.a = cls.guest("app", cls.switch.device("a", CLIENT_MAC), name="a")
        cls.router.wait_ready()
        cls.a.wait_ready()

    @classmethod
    def guest(cls, image, devices, name, **options):
        guest = ImageGuest(name, image, cls.directory, devices, **options).start()
        cls.addClassCleanup(guest.kill)
        return guest

    def test_card_comes_joins_its_network_and_clients_reach_the_world_by_it(self):
        self.router.run("/usr/lib/guest/load_modules mac80211_hwsim", timeout=60)
        self.router.until("[ -e /sys/class/net/wlan1 ]")
        self.router.run("ip netns add air; iw phy $(cat /sys/class/net/wlan1/phy80211/name) "
                        "set netns name air")
        print(self.router.run("ip netns exec air sh -e /etc/beyond; cat /tmp/hostapd.log"))
        self.router.until("ip -4 address show dev wlan0 | grep 'inet 10.99.0.'", timeout=UP_WITHIN)
        link = self.router.run("iw dev wlan0 link")
        self.assertIn("SSID: play", link)
        print(link, self.router.run("ip netns exec air hostapd_cli all_sta 2>/dev/null || true"))
        self.a.until(f"ping -c 1 -W 2 {FAR}", timeout=UP_WITHIN)
        self.a.until(f"ping -6 -c 1 -W 2 {FAR6}", timeout=UP_WITHIN)
        print(self.a.run(f"ping -c 1 {FAR}; ping -6 -c 1 {FAR6}"))


if __name__ == "__main__":
    unittest.main()
