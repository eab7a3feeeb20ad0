#include "vmm/qemu/command_line.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "fake_vmm.h"
#include "vmm/cloud_hypervisor/driver.h"
#include "vmm/device_names.h"
#include "vmm/qemu/accelerator.h"

namespace launcher {
namespace {

using nlohmann::json;
using qemu::Accelerator;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

VmSpec spec_of_everything() {
  VmSpec spec;
  spec.name = "app,1";
  spec.program = "/usr/bin/qemu-system-x86_64";
  spec.directory = "/run/launcher/app";
  spec.kernel = "/boot/vmlinuz";
  spec.initramfs = "/boot/initramfs";
  spec.command_line = "console=ttyS0 a=b,c";
  spec.disks = {{"/srv/a.img", true}, {"/srv/b.qcow2", false}};
  spec.cpus = 2;
  spec.memory = 128ull << 20;
  spec.devices = {"0000:00:19.0"};
  spec.nets = {{"net0", "/run/s,1.sock", "02:00:00:00:00:01", 1400, 2}};
  return spec;
}

Words line(const VmSpec& spec, Accelerator accelerator = Accelerator::kvm) {
  return qemu::command_line(spec, accelerator, "/run/launcher/app/qmp.sock");
}

// The values of all options of that name.
Words values(const Words& words, const std::string& option) {
  Words result;
  for (size_t n = 0; n + 1 < words.size(); ++n) {
    if (words[n] == option) result.push_back(words[n + 1]);
  }
  return result;
}

// The one JSON value of that option whose member has that value.
json with(const Words& words, const std::string& option, const char* member, const char* value) {
  for (const std::string& text : values(words, option)) {
    const json object = json::parse(text, nullptr, false);
    if (object.is_object() && object.value(member, "") == value) return object;
  }
  return nullptr;
}

TEST(QemuCommandLine, MachineIsAsTheSpecSays) {
  const Words words = line(spec_of_everything());
  EXPECT_EQ(words.front(), "/usr/bin/qemu-system-x86_64");
  EXPECT_THAT(values(words, "-kernel"), ElementsAre("/boot/vmlinuz"));
  EXPECT_THAT(values(words, "-initrd"), ElementsAre("/boot/initramfs"));
  EXPECT_THAT(values(words, "-append"), ElementsAre("console=ttyS0 a=b,c"));
  EXPECT_THAT(values(words, "-smp"), ElementsAre("2"));
  EXPECT_THAT(values(words, "-accel"), ElementsAre("kvm"));
  EXPECT_THAT(values(words, "-m"), ElementsAre("size=134217728B"));
  EXPECT_THAT(values(words, "-object"),
              ElementsAre("memory-backend-memfd,id=memory,size=134217728B,share=on"));
  EXPECT_THAT(words, Contains("-S"));
  EXPECT_THAT(values(words, "-sandbox"), ElementsAre(HasSubstr("spawn=deny")));
}

TEST(QemuCommandLine, NoPayloadOptionWithoutAValue) {
  VmSpec spec = spec_of_everything();
  spec.initramfs.clear();
  spec.command_line.clear();
  EXPECT_THAT(line(spec), Not(Contains("-initrd")));
  EXPECT_THAT(line(spec), Not(Contains("-append")));
}

TEST(QemuCommandLine, CommasInNamesAndPathsAreEscaped) {
  const Words words = line(spec_of_everything());
  EXPECT_THAT(values(words, "-name"), ElementsAre("guest=app,,1,debug-threads=on"));
  EXPECT_THAT(values(words, "-chardev"), Contains(HasSubstr(",path=/run/s,,1.sock")));
}

TEST(QemuCommandLine, InterfaceHasMacMtuAndAnInterruptARing) {
  const json device = with(line(spec_of_everything()), "-device", "id", "net0");
  EXPECT_EQ(device.at("mac"), "02:00:00:00:00:01");
  EXPECT_EQ(device.at("host_mtu"), 1400);
  EXPECT_EQ(device.at("mq"), true);
  EXPECT_EQ(device.at("vectors"), 6);
  EXPECT_EQ(with(line(spec_of_everything()), "-netdev", "type", "vhost-user").at("queues"), 2);
}

TEST(QemuCommandLine, NoInterruptsOfItsOwnWithoutKvm) {
  const Words words = line(spec_of_everything(), Accelerator::tcg);
  EXPECT_THAT(values(words, "-accel"), ElementsAre("tcg"));
  EXPECT_EQ(with(words, "-device", "id", "net0").at("vectors"), 0);
}

TEST(QemuCommandLine, DisksAreRawUnlessTheirNameSaysElse) {
  const Words words = line(spec_of_everything());
  const json raw = with(words, "-blockdev", "node-name", "disk0-image");
  EXPECT_EQ(raw.at("driver"), "raw");
  EXPECT_EQ(raw.at("read-only"), true);
  EXPECT_EQ(raw.at("file").at("filename"), "/srv/a.img");
  EXPECT_EQ(with(words, "-blockdev", "node-name", "disk1-image").at("driver"), "qcow2");
  EXPECT_EQ(with(words, "-device", "drive", "disk1-image").at("driver"), "virtio-blk-pci");
}

TEST(QemuCommandLine, PassedDeviceHasANameToRemoveItBy) {
  const json device = with(line(spec_of_everything()), "-device", "driver", "vfio-pci");
  EXPECT_EQ(device.at("host"), "0000:00:19.0");
  EXPECT_EQ(device.at("id"), device_id("0000:00:19.0"));
  EXPECT_EQ(device_id("0000:00:19.0"), "pci-0000-00-19.0");
}

TEST(QemuAccelerator, EnvironmentDecides) {
  boost::asio::io_context loop;
  ::setenv("LAUNCHER_QEMU_ACCELERATOR", "kvm", 1);
  EXPECT_EQ(finish(loop, qemu::choose_accelerator(loop, "/nonexistent", {})), Accelerator::kvm);
  ::setenv("LAUNCHER_QEMU_ACCELERATOR", "fast", 1);
  EXPECT_THROW(finish(loop, qemu::choose_accelerator(loop, "/nonexistent", {})), VmmError);
  ::unsetenv("LAUNCHER_QEMU_ACCELERATOR");
}

TEST(QemuAccelerator, ProgramThatCannotRunWithKvmRunsWithout) {
  boost::asio::io_context loop;
  EXPECT_EQ(finish(loop, qemu::choose_accelerator(loop, "/bin/false", {})), Accelerator::tcg);
}

TEST(CloudHypervisorCommandLine, HasItsSocketPipeAndSeccomp) {
  TemporaryDirectory directory;
  boost::asio::io_context loop;
  VmSpec spec = spec_of_everything();
  spec.program = "/usr/bin/cloud-hypervisor";
  spec.directory = directory.path();
  const std::string socket = "path=" + (directory.path() / "api.sock").string();
  const std::string pipe = "path=" + (directory.path() / "events").string();
  EXPECT_THAT(CloudHypervisor(loop, spec).command(),
              ElementsAre("/usr/bin/cloud-hypervisor", "--api-socket", socket, "--event-monitor",
                          pipe, "--seccomp", "true"));
  struct stat status {};
  ASSERT_EQ(::stat((directory.path() / "events").c_str(), &status), 0);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(VmmTable, NamesWhatThereIs) {
  EXPECT_EQ(find_vmm("qemu").kind, VmmKind::qemu);
  EXPECT_STREQ(find_vmm(VmmKind::cloud_hypervisor).name, "cloud-hypervisor");
  try {
    find_vmm("bochs");
    FAIL();
  } catch (const VmmError& error) {
    EXPECT_STREQ(error.what(), "no VMM 'bochs'; there are: cloud-hypervisor, qemu");
  }
}

}  // namespace
}  // namespace launcher
