// bind and confirm on a tree of files, where a function has the driver that its link names,
// whatever is written.
#include "commands.h"

#include <gmock/gmock.h>

#include <sstream>

#include "fake_host.h"
#include "fake_tools.h"
#include "state_file.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kNic = "0000:00:19.0";

class CommandsTest : public FakeHost {
 protected:
  CommandsTest() {
    write("proc/sys/kernel/random/boot_id", "this boot\n");
    write("sys/bus/pci/drivers/vfio-pci/unbind", "");
    write("sys/bus/pci/drivers/e1000e/unbind", "");
    write("sys/bus/pci/drivers_probe", "");
  }

  void add_nic(const std::string& driver) {
    directory_ = add_device(kNic, "0x020000", 3, driver);
    write(directory_ + "/driver_override", "");
    write("dev/vfio/3", "");
  }

  void add_record(const std::string& boot_id) {
    Binding binding;
    binding.address = kNic;
    binding.step = "bound";
    binding.boot_id = boot_id;
    binding.devices = {{kNic, "8086:10d3", "e1000e", {}, "", {}}};
    binding.persistent = true;
    binding.confirm = {"token", 1, false};
    StateFile(paths()).save(State{{binding}});
  }

  // What it failed with; empty when it did not.
  std::string error_of(int (*command)(const CommandContext&), const std::string& address = kNic) {
    options_.address = address;
    std::ostringstream out;
    try {
      command({paths(), options_, out});
      return "";
    } catch (const std::exception& error) {
      return error.what();
    }
  }

  State state() { return StateFile(paths()).load(); }
  std::string override() { return *read_attribute(paths().pci_device(kNic) / "driver_override"); }

  std::string directory_;
  Options options_;
  FakeTools tools_;
};

TEST_F(CommandsTest, a_bound_function_that_must_be_moved_again_is_rolled_back) {
  add_nic("e1000e");  // which the fake cannot change
  add_record("an earlier boot");
  EXPECT_THAT(error_of(bind_command), HasSubstr("What was done so far has been undone"));
  EXPECT_THAT(override(), testing::Not(HasSubstr("vfio-pci")));
  EXPECT_THAT(state().bindings, IsEmpty());
}

TEST_F(CommandsTest, a_bound_function_that_stays_keeps_its_record_when_a_later_step_fails) {
  add_nic("vfio-pci");
  add_record("this boot");
  std::filesystem::remove(root_ / "dev/vfio/3");
  EXPECT_THAT(error_of(bind_command), HasSubstr("the kernel made no /dev/vfio/GROUP"));
  EXPECT_EQ(state().bindings.size(), 1U);
}

TEST_F(CommandsTest, a_group_that_another_users_vm_holds_gets_no_other_owner) {
  add_nic("vfio-pci");
  std::filesystem::remove(root_ / "dev/vfio/3");
  std::filesystem::create_symlink("/dev/null", root_ / "dev/vfio/3");
  write("proc/4711/comm", "qemu\n");
  std::filesystem::create_directories(root_ / "proc/4711/fd");
  std::filesystem::create_symlink(root_ / "dev/vfio/3", root_ / "proc/4711/fd/7");
  options_.user = std::to_string(::getuid() + 1);
  EXPECT_THAT(error_of(bind_command),
              HasSubstr("in use by process 4711 (qemu) of user " + std::to_string(::getuid())));
  EXPECT_THAT(state().bindings, IsEmpty());
}

TEST_F(CommandsTest, a_bound_nic_whose_driver_is_built_in_cannot_become_persistent) {
  add_nic("vfio-pci");
  add_record("this boot");
  options_.persist = true;
  EXPECT_THAT(error_of(bind_command), HasSubstr("driver e1000e is built into the kernel"));
  link("sys/bus/pci/drivers/e1000e/module", "sys/module/e1000e");
  EXPECT_EQ(error_of(bind_command), "");
}

TEST_F(CommandsTest, a_bound_nic_is_recorded_with_what_tells_it_apart) {
  add_nic("vfio-pci");
  add_interface(directory_, "eno1", false);
  write(directory_ + "/subsystem_vendor", "0x8086\n");
  write(directory_ + "/subsystem_device", "0xa01f\n");
  tools_.answers["ip -json -details link show dev eno1"] =
      R"([{"address":"52:00:00:00:00:01","permaddr":"52:00:00:00:00:02"}])";
  EXPECT_EQ(error_of(bind_command), "");
  EXPECT_EQ(state().bindings[0].devices[0].subsystem, "8086:a01f");
  EXPECT_EQ(state().bindings[0].devices[0].mac, "52:00:00:00:00:02");
}

TEST_F(CommandsTest, a_record_of_an_earlier_version_learns_what_tells_the_card_apart) {
  add_nic("vfio-pci");
  add_record("this boot");
  write(directory_ + "/subsystem_vendor", "0x8086\n");
  write(directory_ + "/subsystem_device", "0xa01f\n");
  EXPECT_EQ(error_of(bind_command), "");
  EXPECT_EQ(state().bindings[0].devices[0].subsystem, "8086:a01f");
}

// The card on record is at another address now, and this one is a stranger's.
class MovedCardTest : public CommandsTest {
 protected:
  MovedCardTest() {
    add_nic("e1000e");
    give_serial(directory_, '1');
    const std::string moved = add_device(kMoved, "0x020000", 4, "vfio-pci");
    write(moved + "/driver_override", "vfio-pci\n");  // as the early boot leaves it
    write("dev/vfio/4", "");
    give_serial(moved, '2');
    add_record("an earlier boot");
    State known = state();
    known.bindings[0].devices[0].serial = "00-00-00-00-00-00-00-32";
    StateFile(paths()).save(known);
  }

  void give_serial(const std::string& directory, char serial) {
    std::string config(0x1000, '\0');
    config[0x100] = 3;
    config[0x104] = serial;
    write(directory + "/config", config);
  }

  static constexpr const char* kMoved = "0000:01:19.0";
};

TEST_F(MovedCardTest, bind_takes_no_stranger_for_it) {
  EXPECT_THAT(error_of(bind_command), HasSubstr("is at 0000:01:19.0 now"));
  options_.force = true;
  EXPECT_THAT(error_of(bind_command), HasSubstr("bind 0000:01:19.0"));
  EXPECT_EQ(override(), "");
}

TEST_F(MovedCardTest, bind_takes_it_with_its_record_where_it_is) {
  const State before = state();
  for (const char* address : {kMoved, "auto"}) {
    StateFile(paths()).save(before);
    EXPECT_EQ(error_of(bind_command, address), "");
    ASSERT_EQ(state().bindings.size(), 1U);
    EXPECT_EQ(state().bindings[0].address, kMoved);
    EXPECT_TRUE(state().bindings[0].persistent);
    EXPECT_EQ(state().bindings[0].devices[0].driver, "e1000e");
  }
}

TEST_F(MovedCardTest, restore_finds_it_by_either_address) {
  const State before = state();
  for (const char* address : {kNic, kMoved}) {
    StateFile(paths()).save(before);
    write(directory_ + "/driver_override", "x");
    // The fake cannot change its driver, and the record stays for that.
    EXPECT_EQ(error_of(restore_command, address), "");
    EXPECT_EQ(override(), "x");
    ASSERT_EQ(state().bindings.size(), 1U);
    EXPECT_EQ(state().bindings[0].devices[0].address, kMoved);
  }
}

TEST_F(CommandsTest, confirm_keeps_what_is_there) {
  add_nic("vfio-pci");
  add_record("this boot");
  EXPECT_EQ(error_of(confirm_command), "");
  EXPECT_FALSE(state().bindings[0].confirm);
}

TEST_F(CommandsTest, confirm_takes_nothing_of_an_earlier_boot) {
  add_nic("vfio-pci");
  add_record("an earlier boot");
  EXPECT_THAT(error_of(confirm_command), HasSubstr("was bound before the last reboot"));
  EXPECT_TRUE(state().bindings[0].confirm);
}

TEST_F(CommandsTest, confirm_takes_nothing_that_is_elsewhere) {
  add_nic("e1000e");
  add_record("this boot");
  EXPECT_THAT(error_of(confirm_command), HasSubstr("is not at vfio-pci any more"));
  EXPECT_TRUE(state().bindings[0].confirm);
}

}  // namespace
}  // namespace vfio_setup
