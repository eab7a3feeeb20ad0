// The files that make a binding hold from the next boot on.
#include "persistence.h"

#include <gmock/gmock.h>

#include "fake_host.h"
#include "fake_tools.h"
#include "process.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using PersistenceTest = FakeHost;

State one_binding(bool persistent) {
  Binding binding;
  binding.address = "0000:00:19.0";
  binding.devices = {{"0000:00:19.0", "8086:10d3", "e1000e", {"e1000e"}, "", {}}};
  binding.user = 65534;
  binding.persistent = persistent;
  return State{{binding}};
}

TEST_F(PersistenceTest, rules_bind_only_the_card_that_was_meant) {
  const std::string rules = render_udev_rules(one_binding(true), true);
  EXPECT_THAT(rules, HasSubstr("KERNEL==\"0000:00:19.0\", ATTR{vendor}==\"0x8086\", "
                               "ATTR{device}==\"0x10d3\", ATTR{driver_override}=\"vfio-pci\""));
  EXPECT_THAT(rules, HasSubstr("OWNER=\"65534\""));
}

TEST_F(PersistenceTest, a_binding_of_this_boot_only_owns_the_group) {
  EXPECT_EQ(render_udev_rules(one_binding(false), true), "");
  EXPECT_EQ(render_modprobe_config(one_binding(false)), "");
  EXPECT_THAT(render_udev_rules(one_binding(false), false), Not(HasSubstr("driver_override")));
}

TEST_F(PersistenceTest, one_install_line_serves_all_functions_of_a_module) {
  State state = one_binding(true);
  state.bindings[0].devices.push_back({"0000:00:1a.0", "8086:10d3", "e1000e", {"e1000e"}, "", {}});
  const std::string config = render_modprobe_config(state);
  EXPECT_THAT(config, HasSubstr("'0000:00:19.0 0x8086 0x10d3' '0000:00:1a.0 0x8086 0x10d3'"));
  EXPECT_EQ(config.find("\ninstall e1000e"), config.rfind("\ninstall e1000e"));
}

TEST_F(PersistenceTest, a_card_with_a_serial_number_is_looked_for_with_its_group) {
  State state = one_binding(true);
  state.bindings[0].devices[0].subsystem = "8086:a01f";
  state.bindings[0].devices[0].serial = "00-1b-21-ff-0a-0b-0c-0d";
  const std::string word = "0000:00:19.0/8086:10d3/8086:a01f/00-1b-21-ff-0a-0b-0c-0d/";
  const std::string rules = render_udev_rules(state, true);
  EXPECT_THAT(rules, Not(HasSubstr("KERNEL==")));
  EXPECT_THAT(rules, Not(HasSubstr("TEST==")));
  EXPECT_THAT(rules, HasSubstr("ATTR{subsystem_device}==\"0xa01f\", PROGRAM==\""));
  EXPECT_THAT(rules, HasSubstr(" is-at $kernel " + word + "\", ATTR{driver_override}="));
  EXPECT_THAT(rules, HasSubstr(" is-at $kernel " + word + "\", OWNER="));
  EXPECT_THAT(render_modprobe_config(state), HasSubstr("$p claim " + word + " || true; "));
}

// What shell does by itself with the card at the address.
class ShellTest : public PersistenceTest {
 protected:
  ShellTest() {
    const std::string directory = add_device("0000:00:19.0", "0x020000", 3, "");
    write(directory + "/subsystem_vendor", "0x8086\n");
    write(directory + "/subsystem_device", "0xa01f\n");
    write("dev/kmsg", "");
  }

  void claim(const State& state) {
    const std::string config = render_modprobe_config(state);
    std::string script = config.substr(config.find("$p claim"));
    script = "p=/nowhere; " + script.substr(0, script.find("/sbin/modprobe"));
    for (const std::string directory : {"/sys/", "/dev/kmsg"}) {
      for (auto at = script.find(directory); at != std::string::npos;
           at = script.find(directory, at + root_.string().size() + 1)) {
        script.insert(at, root_.string());
      }
    }
    run_tool("sh", {"-c", script});
  }

  std::string override() {
    return *read_attribute(paths().pci_device("0000:00:19.0") / "driver_override");
  }
};

TEST_F(ShellTest, claims_what_it_can_tell_for_certain) {
  State state = one_binding(true);
  SavedDevice& device = state.bindings[0].devices[0];
  device.subsystem = "8086:0001";
  claim(state);
  EXPECT_THAT(override(), Not(HasSubstr("vfio-pci")));
  device.subsystem = "8086:a01f";
  device.serial = "00-1b-21-ff-0a-0b-0c-0d";
  claim(state);
  EXPECT_THAT(override(), Not(HasSubstr("vfio-pci")));
  EXPECT_THAT(*read_attribute(paths().dev() / "kmsg"), HasSubstr("/nowhere is missing here"));
  device.serial.clear();
  claim(state);
  EXPECT_THAT(override(), HasSubstr("vfio-pci"));
}

TEST_F(ShellTest, claims_what_an_earlier_version_recorded) {
  claim(one_binding(true));
  EXPECT_THAT(override(), HasSubstr("vfio-pci"));
}

TEST_F(PersistenceTest, the_program_goes_into_the_initramfs) {
  FakeTools tools;
  const auto hook = paths().initramfs_hook();
  Persistence(paths()).apply(one_binding(true));
  EXPECT_FALSE(std::filesystem::exists(hook));  // none is in use
  write("boot/initrd.img-1", "");
  Persistence(paths()).apply(one_binding(true));
  EXPECT_THAT(*read_attribute(hook), HasSubstr("copy_exec /"));
  EXPECT_EQ(::access(hook.c_str(), X_OK), 0);
  EXPECT_THAT(tools.commands, SizeIs(1));
  Persistence(paths()).apply(State{});
  EXPECT_FALSE(std::filesystem::exists(hook));
}

TEST_F(PersistenceTest, files_come_and_go_with_the_state) {
  const Persistence persistence(paths());
  persistence.apply(one_binding(true));
  EXPECT_TRUE(std::filesystem::exists(paths().persistent_rules()));
  EXPECT_TRUE(std::filesystem::exists(paths().modprobe_config()));
  EXPECT_FALSE(std::filesystem::exists(paths().volatile_rules()));
  persistence.apply(State{});
  EXPECT_FALSE(std::filesystem::exists(paths().persistent_rules()));
  EXPECT_FALSE(std::filesystem::exists(paths().modprobe_config()));
}

TEST_F(PersistenceTest, the_initramfs_of_every_kernel_is_built_again) {
  FakeTools tools;
  Persistence(paths()).apply(one_binding(true));
  EXPECT_THAT(tools.commands, IsEmpty());  // none is in use
  write("boot/initrd.img-0.0-of-another-kernel", "");
  Persistence(paths()).apply(State{});
  EXPECT_THAT(tools.commands, ElementsAre("update-initramfs -u -k all"));
}

TEST_F(PersistenceTest, another_owner_is_no_reason_to_build_the_initramfs) {
  FakeTools tools;
  write("boot/initrd.img-1", "");
  State state = one_binding(true);
  Persistence(paths()).apply(state);
  EXPECT_THAT(tools.commands, SizeIs(1));
  state.bindings[0].user = 7;
  Persistence(paths()).apply(state);
  EXPECT_THAT(*read_attribute(paths().persistent_rules()), HasSubstr("OWNER=\"7\""));
  EXPECT_THAT(tools.commands, SizeIs(1));
}

TEST_F(PersistenceTest, rules_of_this_boot_are_not_hidden_by_persistent_ones) {
  EXPECT_NE(paths().volatile_rules().filename(), paths().persistent_rules().filename());
}

}  // namespace
}  // namespace vfio_setup
