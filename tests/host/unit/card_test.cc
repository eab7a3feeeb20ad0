// Which card a record means, and what the early boot does about it.
#include "card.h"

#include <gmock/gmock.h>

#include <sstream>

#include "commands.h"
#include "fake_host.h"
#include "sysfs.h"

namespace vfio_setup {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kOld = "0000:03:00.0";
constexpr const char* kNew = "0000:04:00.0";
constexpr std::uint32_t kSerial = 0x0a0b0c0d;  // its lower half
constexpr const char* kSerialText = "00-1b-21-ff-0a-0b-0c-0d";

class CardTest : public FakeHost {
 protected:
  CardTest() { write("dev/kmsg", ""); }

  void add_card(const std::string& address, std::uint32_t serial) const {
    const std::string directory = add_device(address, "0x020000", address[6] - '0', "");
    write(directory + "/config", config_with(serial));
    set_subsystem(address, "0xa01f");
  }

  void set_subsystem(const std::string& address, const std::string& device) const {
    const std::string directory = "sys/devices/pci0000:00/" + address;
    write(directory + "/subsystem_vendor", "0x8086\n");
    write(directory + "/subsystem_device", device + "\n");
  }

  SavedDevice record_of(const std::string& address) const {
    SavedDevice device{address, "8086:10d3", "e1000e", {}, "", {}};
    identify(paths(), device);
    return device;
  }

  void remove(const std::string& address) const {
    std::filesystem::remove(paths().pci_device(address));
    std::filesystem::remove_all(root_ / "sys/devices/pci0000:00" / address);
  }

  std::string override_of(const std::string& address) const {
    return *read_attribute(paths().pci_device(address) / "driver_override");
  }

  std::string kernel_log() const { return *read_attribute(paths().dev() / "kmsg"); }

  int run(int (*command)(const CommandContext&), std::vector<std::string> words) const {
    Options options;
    options.words = std::move(words);
    std::ostringstream out;
    return command({paths(), options, out});
  }

  // The serial number stands behind another capability, as on most cards.
  static std::string config_with(std::uint32_t serial) {
    std::string config(0x1000, '\0');
    const auto put = [&](std::size_t offset, std::uint32_t word) {
      for (std::size_t i = 0; i < 4; ++i) config[offset + i] = static_cast<char>(word >> 8 * i);
    };
    put(0x100, 0x14020001);  // advanced error reporting, next at 140h
    put(0x140, 0x00010003);
    put(0x144, serial);
    put(0x148, serial == 0 ? 0 : 0x001b21ff);
    return config;
  }
};

TEST_F(CardTest, is_told_by_its_subsystem_and_serial_number) {
  add_card(kOld, kSerial);
  EXPECT_EQ(record_of(kOld).subsystem, "8086:a01f");
  EXPECT_EQ(record_of(kOld).serial, kSerialText);
}

TEST_F(CardTest, a_serial_number_that_was_never_given_is_none) {
  add_card(kOld, 0);
  EXPECT_EQ(record_of(kOld).serial, "");
}

TEST_F(CardTest, a_broken_list_of_capabilities_ends) {
  const std::string directory = add_device(kOld, "0x020000", 3, "");
  std::string config(0x1000, '\0');
  config.replace(0x100, 4, std::string("\x01\x00\x02\x10", 4));  // next is itself
  write(directory + "/config", config);
  EXPECT_EQ(record_of(kOld).serial, "");
  write(directory + "/config", config_with(kSerial).substr(0, 0x146));
  EXPECT_EQ(record_of(kOld).serial, "");
}

TEST_F(CardTest, the_same_card_is_where_it_was) {
  add_card(kOld, kSerial);
  add_card(kNew, kSerial);  // a copy is no matter
  const Place place = find_card(paths(), record_of(kOld));
  EXPECT_EQ(place.address, kOld);
  EXPECT_THAT(place.difference, IsEmpty());
}

TEST_F(CardTest, a_difference_names_its_key) {
  add_card(kOld, kSerial);
  const SavedDevice device = record_of(kOld);
  write("sys/devices/pci0000:00/0000:03:00.0/config", config_with(7));
  EXPECT_THAT(difference(paths(), device, kOld),
              HasSubstr("serial number is 00-1b-21-ff-00-00-00-07, on record is " +
                        std::string(kSerialText)));
  set_subsystem(kOld, "0x0001");
  EXPECT_THAT(difference(paths(), device, kOld), HasSubstr("subsystem is 8086:0001"));
  write("sys/devices/pci0000:00/0000:03:00.0/device", "0x10d4\n");
  EXPECT_THAT(difference(paths(), device, kOld), HasSubstr("vendor:device is 8086:10d4"));
  remove(kOld);
  EXPECT_EQ(difference(paths(), device, kOld), "there is no card");
}

TEST_F(CardTest, is_found_by_its_serial_number_where_it_is_now) {
  add_card(kOld, kSerial);
  const SavedDevice device = record_of(kOld);
  remove(kOld);
  add_card(kOld, 7);
  add_card(kNew, kSerial);
  add_card("0000:04:00.1", kSerial);  // its second port
  EXPECT_EQ(find_card(paths(), device).address, kNew);
}

TEST_F(CardTest, of_two_with_one_serial_number_it_is_neither) {
  add_card(kNew, kSerial);
  add_card("0000:05:00.0", kSerial);
  SavedDevice device = record_of(kNew);
  device.address = kOld;
  const Place place = find_card(paths(), device);
  EXPECT_THAT(place.address, IsEmpty());
  EXPECT_THAT(place.difference, HasSubstr("several other cards have that serial number"));
}

TEST_F(CardTest, without_a_serial_number_it_is_looked_for_nowhere_else) {
  add_card(kNew, 0);
  SavedDevice device = record_of(kNew);
  device.address = kOld;
  EXPECT_THAT(find_card(paths(), device).address, IsEmpty());
}

TEST_F(CardTest, what_an_earlier_version_did_not_record_is_not_compared) {
  add_card(kOld, kSerial);
  const SavedDevice device{kOld, "8086:10d3", "e1000e", {}, "", {}};
  EXPECT_EQ(find_card(paths(), device).address, kOld);
}

TEST_F(CardTest, a_word_says_all_of_it) {
  add_card(kOld, kSerial);
  SavedDevice device = record_of(kOld);
  device.mac = "00:1b:21:0b:0c:0d";
  const SavedDevice read = device_of(word_of(device));
  EXPECT_EQ(read.address, device.address);
  EXPECT_EQ(read.ids, device.ids);
  EXPECT_EQ(read.subsystem, device.subsystem);
  EXPECT_EQ(read.serial, device.serial);
  EXPECT_EQ(read.mac, device.mac);
  EXPECT_EQ(device_of("0000:03:00.0/8086:10d3///").subsystem, "");
}

TEST_F(CardTest, early_boot_claims_the_card_where_it_is_and_says_so) {
  add_card(kOld, kSerial);
  const std::string word = word_of(record_of(kOld));
  EXPECT_EQ(run(claim_command, {word}), EXIT_SUCCESS);
  EXPECT_EQ(override_of(kOld), "vfio-pci");
  EXPECT_THAT(kernel_log(), IsEmpty());
  remove(kOld);
  add_card(kOld, 7);
  add_card(kNew, kSerial);
  EXPECT_EQ(run(claim_command, {word}), EXIT_SUCCESS);
  EXPECT_THAT(override_of(kOld), Not(HasSubstr("vfio-pci")));
  EXPECT_THAT(override_of(kNew), HasSubstr("vfio-pci"));
  EXPECT_THAT(kernel_log(), HasSubstr("is at 0000:04:00.0 now (at 0000:03:00.0: its serial"));
}

TEST_F(CardTest, early_boot_claims_no_stranger_and_tells_what_to_do) {
  add_card(kNew, kSerial);
  SavedDevice lost = record_of(kNew);
  lost.address = kOld;
  lost.serial.clear();
  add_card(kOld, 7);
  set_subsystem(kOld, "0x0001");
  // One that is lost keeps no other.
  EXPECT_EQ(run(claim_command, {word_of(lost), word_of(record_of(kNew))}), EXIT_FAILURE);
  EXPECT_THAT(override_of(kOld), Not(HasSubstr("vfio-pci")));
  EXPECT_THAT(override_of(kNew), HasSubstr("vfio-pci"));
  EXPECT_THAT(kernel_log(), HasSubstr("its subsystem is 8086:0001, on record is 8086:a01f"));
  EXPECT_THAT(kernel_log(), HasSubstr("`vfio-setup restore 0000:03:00.0` forgets it"));
}

TEST_F(CardTest, udev_is_told_whether_it_is_the_function_or_the_group) {
  add_card(kOld, 7);
  add_card(kNew, kSerial);
  SavedDevice device = record_of(kNew);
  device.address = kOld;
  const std::string word = word_of(device);
  EXPECT_EQ(run(is_at_command, {kNew, word}), EXIT_SUCCESS);
  EXPECT_EQ(run(is_at_command, {"4", word}), EXIT_SUCCESS);
  EXPECT_EQ(run(is_at_command, {kOld, word}), EXIT_FAILURE);
  EXPECT_EQ(run(is_at_command, {"3", word}), EXIT_FAILURE);
  remove(kNew);
  EXPECT_EQ(run(is_at_command, {"", word}), EXIT_FAILURE);
}

}  // namespace
}  // namespace vfio_setup
