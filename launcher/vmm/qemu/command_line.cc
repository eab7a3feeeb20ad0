#include "vmm/qemu/command_line.h"

#include <nlohmann/json.hpp>

#include "vmm/device_names.h"
#include "vmm/qemu/devices.h"

namespace launcher::qemu {

using nlohmann::json;
using Words = std::vector<std::string>;

namespace {

// A comma ends a value in QEMU's lists of properties, two are one.
std::string escaped(const std::string& value) {
  std::string result;
  for (const char c : value) result += c == ',' ? std::string(",,") : std::string(1, c);
  return result;
}

void append(Words& words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
}

// "pc" takes devices at run time on its one bus and has a power button by ACPI. Spawning programs
// and gaining privileges is denied to QEMU by seccomp.
Words machine(const VmSpec& spec, Accelerator accelerator) {
  const std::string memory = std::to_string(spec.memory);
  return {"-name", "guest=" + escaped(spec.name) + ",debug-threads=on", "-no-user-config",
          "-nodefaults", "-display", "none", "-S", "-machine", "pc,memory-backend=memory", "-accel",
          name_of(accelerator), "-cpu", "max", "-smp", std::to_string(spec.cpus), "-m",
          "size=" + memory + "B", "-object",
          "memory-backend-memfd,id=memory,size=" + memory + "B,share=on", "-sandbox",
          "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
          // A guest that panicked goes on as its kernel likes; the event tells of it.
          "-device", "pvpanic", "-action", "panic=none", "-device", "virtio-rng-pci"};
}

Words payload(const VmSpec& spec) {
  Words words = {"-kernel", spec.kernel.string()};
  if (!spec.initramfs.empty()) append(words, {"-initrd", spec.initramfs.string()});
  if (!spec.command_line.empty()) append(words, {"-append", spec.command_line});
  return words;
}

// ^C on the console is the guest's.
Words channels(const std::filesystem::path& qmp) {
  return {"-chardev", "stdio,id=console,signal=off",
          "-serial",  "chardev:console",
          "-chardev", "socket,id=control,server=on,wait=off,path=" + escaped(qmp.string()),
          "-mon",     "chardev=control,mode=control"};
}

Words net(const VmNet& net, Accelerator accelerator) {
  return {"-chardev",
          "socket,id=" + chardev_of(net.id) + ",reconnect=1,path=" + escaped(net.socket.string()),
          "-netdev",
          netdev(net).dump(),
          "-device",
          net_device(net, accelerator).dump()};
}

Words disk(const DiskConfig& disk, size_t number) {
  const std::string id = "disk" + std::to_string(number);
  const json file = {{"driver", "file"}, {"filename", disk.path.string()}};
  const json image = {{"driver", is_qcow2(disk.path) ? "qcow2" : "raw"},
                      {"node-name", id + "-image"},
                      {"read-only", disk.readonly},
                      {"file", file}};
  const json device = {{"driver", "virtio-blk-pci"}, {"id", id}, {"drive", id + "-image"}};
  return {"-blockdev", image.dump(), "-device", device.dump()};
}

}  // namespace

Words command_line(const VmSpec& spec, Accelerator accelerator, const std::filesystem::path& qmp) {
  Words words = {spec.program.string()};
  append(words, machine(spec, accelerator));
  append(words, payload(spec));
  append(words, channels(qmp));
  for (const VmNet& one : spec.nets) append(words, net(one, accelerator));
  for (size_t n = 0; n < spec.disks.size(); ++n) append(words, disk(spec.disks[n], n));
  for (const std::string& address : spec.devices) {
    append(words, {"-device", pci_device(address).dump()});
  }
  return words;
}

}  // namespace launcher::qemu
