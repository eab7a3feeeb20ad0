#!/usr/bin/env python3
"""vfio-setup on a host with an IOMMU: nothing here is faked but the machine itself."""

from playhost import sandbox

sandbox.enter()

import json
import signal
import unittest

from playhost.far_network import FAR_ADDRESS
from vfio_case import (DISK, DISK_NIC, FAR_NIC, INTERRUPT, SHARED, USB_CONTROLLER, VFIO_SETUP,
                       VfioCase)

# Opens the group as a VMM does, and keeps it open.
HOLD = "import os,sys,time; os.open(sys.argv[1], os.O_RDWR); open(sys.argv[2],'w'); time.sleep(600)"

# Runs a command on a terminal that goes away at once.
LOSE_TERMINAL = ("import os,pty,sys\npid,fd=pty.fork()\n"
                 "if pid==0: os.execv(sys.argv[1],sys.argv[1:])\nos.read(fd,1)\nos.close(fd)\n")


class VfioSetup(VfioCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A router advertisement would give any NIC that is up an address and a default route, at
        # any moment.
        cls.host.shell("echo 0 > /proc/sys/net/ipv6/conf/default/accept_ra")
        cls.host.shell("modprobe -a e1000e nvme xhci_pci cdc_ether cdc_subset rndis_host usbhid")
        cls.host.until("[ -d /sys/bus/usb/devices/1-2 ] && [ -b /dev/nvme0n1 ] && "
                       "ls -d /sys/bus/pci/devices/*7.0/usb*/*/*/net")

    def group_node(self, address: str) -> str:
        return f"/dev/vfio/{self.nic(address)['iommu_group']}"

    def configure_far_nic(self) -> str:
        """Address by DHCP and a default route, as a host's own network has them."""
        address, interface = self.lease(), self.interface(FAR_NIC)
        self.addCleanup(self.clear_far_nic)
        self.host.shell(f"ip address replace {address}/24 dev {interface}\n"
                        f"ip route replace default via 10.77.0.1 dev {interface} proto static")
        return interface

    def clear_far_nic(self):
        interface = self.interface(FAR_NIC)
        self.host.shell(f"ip address flush dev {interface}; ip link set {interface} down")

    def wait_for_far_machine(self):
        """More than one try: a NIC just given back has no link for some seconds, and until then
        the kernel answers that the gateway is unreachable."""
        self.host.until(f"ping -c 1 -W 2 {FAR_ADDRESS}", timeout=60)

    def wait_for_driver(self, address: str, driver: str, timeout: float = 40):
        self.host.until(f"[ $(basename $(readlink /sys/bus/pci/devices/{address}/driver)) = {driver} ]",
                        timeout=timeout)

    def wait_for_no_binding(self):
        self.host.until(f"! grep -q address /var/lib/vfio-setup/state.json", timeout=40)

    def wait_for_no_watcher(self):
        self.host.until("! pgrep -f 'vfio-setup watc[h]'")

    # list and check

    def test_list_tells_what_is_known_of_each_nic(self):
        nic = self.nic(FAR_NIC)
        self.assertEqual(nic["ids"], "8086:10d3")
        self.assertIn("82574L", nic["device"])
        self.assertEqual(nic["vendor"], "Intel Corporation")
        self.assertEqual(nic["driver"], "e1000e")
        self.assertEqual(nic["interfaces"], [self.interface(FAR_NIC)])
        self.assertEqual(nic["group_members"], [])
        self.assertIn("pm", nic["reset_methods"])
        self.assertTrue(nic["verdict"]["can_be_passed"])
        self.assertIn(SHARED[1], self.nic(SHARED[0])["group_members"])
        self.assertNotIn(DISK, [device["address"] for device in self.listed()["devices"]])
        self.assertIn("can be passed: yes", self.vfio("list").out)

    def test_list_names_the_controller_of_a_usb_nic(self):
        (nic,) = self.listed()["usb_nics"]
        self.assertEqual(nic["controller"], USB_CONTROLLER)
        self.assertIn("QEMU USB Keyboard", [o["product"] for o in nic["others_on_controller"]])

    def test_check_finds_what_is_there_and_what_is_missing(self):
        self.host.run("modprobe", "-r", "kvm-amd")
        result = self.vfio("check", status=1)
        self.assertRegex(result.out, r"(?m)^ok +IOMMU: Intel VT-d, on")
        self.assertRegex(result.out, r"(?m)^ok +interrupt remapping: on")
        self.assertRegex(result.out, r"(?m)^ok +vfio modules")
        self.assertRegex(result.out, r"(?m)^warning Landlock: ABI 2")
        self.assertRegex(result.out, r"failure KVM[^\n]*\n *-> modprobe kvm-")
        self.host.run("modprobe", "kvm-amd")
        findings = json.loads(self.vfio("check", "--json").out)
        self.assertIn("ok", [f["grade"] for f in findings if f["subject"] == "KVM"])

    # bind and restore

    def test_bind_and_restore_and_the_nic_gets_a_lease_again(self):
        address = self.lease()
        self.vfio("bind", FAR_NIC, "--user", "nobody", "--group", "daemon")
        self.assertEqual(self.driver(FAR_NIC), "vfio-pci")
        stat = self.host.run("stat", "-c", "%U %G %a", self.group_node(FAR_NIC)).out
        self.assertEqual(stat.strip(), "nobody daemon 660")
        again = self.vfio("bind", FAR_NIC)
        self.assertIn("already", again.out)
        self.assertIn("already", self.vfio("bind", "auto").out)
        self.vfio("restore", FAR_NIC)
        self.assert_as_before(FAR_NIC)
        self.assertEqual(self.lease(), address)
        self.clear_far_nic()

    def test_bridge_and_vlans_and_mtu_come_back(self):
        interface = self.interface(FAR_NIC)
        self.addCleanup(self.clear_far_nic)
        self.addCleanup(self.host.shell, "for i in lan br0 br7 br8 v8; do ip link delete $i; done "
                        "2>/dev/null || true")
        self.host.shell(f"""
            ip link add br0 type bridge; ip link add br8 type bridge
            ip link set {interface} mtu 1400 up master br0
            ip link set {interface} type bridge_slave cost 7 priority 9 learning off isolated on \
              hairpin on group_fwd_mask 8
            ip link add link {interface} name lan type vlan id 7 ingress-qos-map 1:2 3:4 \
              egress-qos-map 0:3 2:5
            ip link add link {interface} name v8 mtu 1300 type vlan protocol 802.1ad id 8
            ip link set v8 master br8
            ip link set lan up; ip address add 192.0.2.7/24 dev lan
            ip route add 198.51.100.0/24 via 192.0.2.1 dev lan
            ip route add 203.0.113.0/24 via 10.1.1.1 dev lan onlink
            ip link set br8 up; ip address add 192.0.3.1/24 dev br8
            ip route add 198.18.0.0/15 proto static metric 7 nexthop via 192.0.2.9 dev lan weight 3 \
              nexthop via 192.0.3.9 dev br8""")
        # Without what differs from one making to the next, and while the link comes up.
        shown = f"""
            ip -d route show dev lan | sed 's/ linkdown//'
            ip route show 198.18.0.0/15 | sed 's/ dead//; s/ linkdown//'
            ip -d link show dev {interface} | grep -oE '(cost|priority|learning|isolated|hairpin) [a-z0-9]+'
            for i in {interface} lan v8; do
              ip -o address show dev $i scope global | sed 's/^[0-9]*: //'
              ip -d link show dev $i | grep -o 'mtu [0-9]*\\|vlan protocol.*\\|{{.*}}\\|master [a-z0-9]*'
            done"""
        before = self.host.shell(shown).out
        self.assertIn("onlink", before)
        for shown_once in ("master br8", "cost 7", "isolated on", "{ 1:2 3:4 }", "{ 0:3 2:5 }",
                           "nexthop via 192.0.2.9 dev lan weight 3"):
            self.assertIn(shown_once, before)
        self.vfio("bind", FAR_NIC, "--force")
        self.host.shell("[ ! -e /sys/class/net/lan ]")
        self.vfio("restore", FAR_NIC)
        self.assertEqual(self.host.shell(shown).out.splitlines(), before.splitlines())
        self.host.run("ip", "link", "add", "link", "lan", "name", "mv0", "type", "macvlan")
        self.assertIn("mv0 stands on", self.vfio("bind", FAR_NIC, "--force", status=1).err)
        self.host.run("ip", "link", "delete", "mv0")
        self.assert_as_before(FAR_NIC)

    def test_whole_group_moves_and_its_bridge_stays(self):
        self.vfio("bind", SHARED[0])
        self.assertEqual([self.driver(address) for address in SHARED], ["vfio-pci"] * 2)
        self.assertEqual(self.driver("0000:00:05.0"), "pcieport")
        self.vfio("restore", "--all")
        self.assert_as_before(*SHARED)

    def test_restore_is_refused_while_a_vm_has_the_nic(self):
        self.vfio("bind", FAR_NIC)
        holder = self.host.spawn("python3", "-c", HOLD, self.group_node(FAR_NIC), "/run/held")
        self.host.until("[ -e /run/held ]; rm /run/held")
        refused = self.vfio("restore", FAR_NIC, status=1)
        self.assertIn(f"process {holder} (python3)", refused.err)
        self.assertEqual(self.driver(FAR_NIC), "vfio-pci")
        self.vfio("restore", FAR_NIC, "--force")
        self.assertIsNotNone(self.host.wait(holder, 5))
        self.assert_as_before(FAR_NIC)

    def test_dry_run_changes_nothing(self):
        out = self.vfio("bind", SHARED[0], "--dry-run", "--persist").out
        for address in SHARED:
            self.assertRegex(out, f"{address}.*e1000e -> vfio-pci")
        self.assert_as_before(*SHARED)

    # wrong cases

    def test_default_route_is_refused(self):
        interface = self.configure_far_nic()
        result = self.vfio("bind", FAR_NIC, status=1)
        self.assertIn(f"interface {interface} has the default route", result.err)
        self.clear_far_nic()
        self.host.shell(f"ip link set {interface} up; ip -6 route add default dev {interface}")
        self.assertFalse(self.nic(FAR_NIC)["verdict"]["can_be_passed"])
        self.assert_as_before(FAR_NIC)
        self.clear_far_nic()

    def test_nic_with_an_address_or_in_a_bridge_is_refused(self):
        interface = self.interface(FAR_NIC)
        self.addCleanup(self.clear_far_nic)
        self.host.shell(f"ip link set {interface} up; ip address add 192.0.2.7/24 dev {interface}")
        result = self.vfio("bind", FAR_NIC, status=1)
        self.assertIn(f"interface {interface} is up with address 192.0.2.7", result.err)
        self.clear_far_nic()
        self.host.shell(f"ip link add br0 type bridge; ip link set {interface} master br0")
        result = self.vfio("bind", FAR_NIC, status=1)
        self.assertIn(f"interface {interface} is a port of the bridge br0", result.err)
        self.host.run("ip", "link", "delete", "br0")
        self.vfio("bind", FAR_NIC, "--dry-run")

    def test_group_with_another_used_device_is_refused(self):
        interface = self.interface(SHARED[1])
        self.host.run("ip", "link", "set", interface, "up")
        result = self.vfio("bind", SHARED[0], status=1)
        self.assertIn(f"interface {interface} is up", result.err)
        self.host.run("ip", "link", "set", interface, "down")
        self.host.shell("/sbin/mkfs.ext4 -q /dev/nvme0n1 && mkdir -p /mnt/nvme && "
                        "mount /dev/nvme0n1 /mnt/nvme")
        result = self.vfio("bind", DISK_NIC, status=1)
        self.assertIn("storage nvme0n1 is in use (mounted at /mnt/nvme)", result.err)
        self.host.run("umount", "/mnt/nvme")
        holder = self.host.spawn("python3", "-c", HOLD.replace("O_RDWR", "O_EXCL"), "/dev/nvme0n1",
                                 "/run/disk-held")
        self.host.until("[ -e /run/disk-held ]")
        result = self.vfio("bind", DISK_NIC, status=1)
        self.assertIn("storage nvme0n1 is in use (opened by who will not share it)", result.err)
        self.host.run("kill", holder)
        self.host.wait(holder, 5)
        self.vfio("bind", DISK_NIC, "--dry-run")
        self.assert_as_before(DISK_NIC, *SHARED)

    def test_auto_with_two_candidates_lists_them(self):
        result = self.vfio("bind", "auto", status=1)
        for address in (FAR_NIC, *SHARED):
            self.assertIn(address, result.err)
        self.assert_as_before(FAR_NIC, *SHARED)

    def test_bad_requests_are_told_apart(self):
        self.assertIn("no PCI device", self.vfio("bind", "0000:7f:00.0", status=1).err)
        self.assertIn("bridges stay", self.vfio("bind", "0000:00:05.0", "--force", status=1).err)
        self.assertIn("not bound by", self.vfio("restore", FAR_NIC, status=1).err)
        self.assertIn("no user", self.vfio("bind", FAR_NIC, "--user", "nosuch", status=1).err)
        self.vfio("bind", status=2)
        self.vfio("bind", FAR_NIC, "--confirm-within", "soon", status=2)
        self.vfio("confirm", status=1)
        self.assert_as_before(FAR_NIC)

    # the operator at the other end of the NIC

    def test_operator_who_loses_the_connection_gets_the_nic_back(self):
        """Terminal gone at the first byte, the NIC held by a VM, and one watcher killed."""
        interface = self.configure_far_nic()
        self.wait_for_far_machine()
        self.host.run("python3", "-c", LOSE_TERMINAL, VFIO_SETUP, "bind", FAR_NIC, "--force",
                      "--confirm-within", "8s")
        self.wait_for_driver(FAR_NIC, "vfio-pci")
        holder = self.host.spawn("python3", "-c", HOLD, self.group_node(FAR_NIC), "/run/held-by-operator")
        self.host.shell("kill -9 $(pgrep -nf 'vfio-setup watc[h]')")
        self.wait_for_no_binding()
        self.assertIsNotNone(self.host.wait(holder, 5))
        self.assert_as_before(FAR_NIC)
        self.assertEqual(self.interface(FAR_NIC), interface)
        self.wait_for_far_machine()
        self.wait_for_no_watcher()

    def test_nic_comes_back_though_nothing_can_be_written(self):
        self.vfio("bind", FAR_NIC, "--confirm-within", "3s")
        directory = "/var/lib/vfio-setup"
        self.host.shell(f"mount --bind {directory} {directory}; "
                        f"mount -o remount,bind,ro {directory}")
        self.wait_for_driver(FAR_NIC, "e1000e")
        self.wait_for_no_watcher()
        self.assertEqual(self.vfio("restore", FAR_NIC, status=1).out.count("back at"), 1)
        self.host.run("umount", directory)
        self.vfio("restore", FAR_NIC)
        self.assert_as_before(FAR_NIC)

    def test_confirmed_nic_stays(self):
        self.vfio("bind", FAR_NIC, "--confirm-within", "1h")
        self.assertIsNotNone(self.bindings()[0]["confirm"])
        self.vfio("confirm")
        self.wait_for_no_watcher()
        self.assertEqual(self.driver(FAR_NIC), "vfio-pci")
        self.vfio("restore", FAR_NIC)
        self.assert_as_before(FAR_NIC)

    # interrupted work

    def interrupt_each(self, syscall: str, number: int, options: str, after: str) -> list[str]:
        """Binds again and again, interrupted at the first, second, ... such call, until it is
        not; `after` runs after each, with everything to be as before then. Returns the steps
        that were on record at the interruptions."""
        script = f"""
        count=1
        while :; do
          INTERRUPT="{syscall} {number:d} $count" LD_PRELOAD={INTERRUPT} \
            {VFIO_SETUP} bind {FAR_NIC} {options} >/dev/null 2>&1 && done=1
          sed -n 's/.*"step": "\\(.*\\)".*/\\1/p' /var/lib/vfio-setup/state.json || true
          [ -z "$done" ] || {{ {VFIO_SETUP} restore {FAR_NIC} >/dev/null; break; }}
          {after}
          [ -d /sys/bus/pci/drivers/e1000e/{FAR_NIC} ]
          read -r override < /sys/bus/pci/devices/{FAR_NIC}/driver_override
          [ "$override" = "(null)" ]
          [ ! -e /etc/modprobe.d/vfio-setup.conf ] && [ ! -e /etc/udev/rules.d/70-vfio-setup.rules ]
          ! grep -q address /var/lib/vfio-setup/state.json
          count=$((count + 1))
        done
        echo interrupted $((count - 1))
        """
        out = self.host.shell(script, timeout=300).out.splitlines()
        self.assertGreater(int(out[-1].split()[1]), 5, out)
        return out

    def test_killed_at_every_write_and_restored(self):
        self.lease()
        steps = self.interrupt_each("write", signal.SIGKILL, "--persist --user nobody",
                                    f"{VFIO_SETUP} restore {FAR_NIC} >/dev/null 2>&1 || true")
        for step in ("start", "load vfio-pci", f"{FAR_NIC}: override the driver",
                     f"{FAR_NIC}: unbind", f"{FAR_NIC}: bind", "own the group",
                     "make it persistent"):
            self.assertIn(step, steps)
        self.assert_as_before(FAR_NIC)
        self.assertTrue(self.lease())
        self.clear_far_nic()

    def test_interrupted_work_is_rolled_back(self):
        self.interrupt_each("rename", signal.SIGTERM, "", "")
        self.assert_as_before(FAR_NIC)


if __name__ == "__main__":
    unittest.main()
