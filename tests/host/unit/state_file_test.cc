#include "state_file.h"

#include <gmock/gmock.h>

#include "fake_host.h"

namespace vfio_setup {
namespace {

using StateFileTest = FakeHost;

Binding full_binding() {
  Binding binding;
  binding.address = "0000:00:19.0";
  binding.step = "bound";
  binding.boot_id = "boot";
  SavedInterface interface;
  interface.name = "eno1";
  interface.boot_id = "an earlier one";
  interface.addresses.push_back({{"local", "192.0.2.1"}});
  binding.devices = {{"0000:00:19.0", "8086:10d3", "e1000e", {"e1000e"}, "", {interface}},
                     {"0000:00:19.1", "8086:10d3", "", {}, "x", {}}};
  binding.user = 7;
  binding.confirm = {"token", 99, true};
  return binding;
}

TEST_F(StateFileTest, all_of_it_comes_back) {
  const StateFile file(paths());
  file.save(State{{full_binding()}});
  State state = file.load();
  const Binding* binding = state.find("0000:00:19.1");  // by any of its functions
  ASSERT_NE(binding, nullptr);
  EXPECT_EQ(binding->step, "bound");
  EXPECT_EQ(binding->user, 7U);
  EXPECT_FALSE(binding->group.has_value());
  ASSERT_TRUE(binding->confirm.has_value());
  EXPECT_EQ(binding->confirm->deadline, 99);
  EXPECT_EQ(binding->devices[1].driver_override, "x");
  EXPECT_EQ(binding->devices[0].interfaces[0].addresses[0]["local"], "192.0.2.1");
  EXPECT_EQ(binding->devices[0].interfaces[0].boot_id, "an earlier one");
}

TEST_F(StateFileTest, one_of_an_earlier_version_is_understood) {
  write("var/lib/vfio-setup/state.json", R"({"bindings": [{"address": "0000:00:19.0",
      "step": "bound", "boot_id": "boot", "user": null, "group": null, "persistent": false,
      "confirm": null, "devices": [{"address": "0000:00:19.0", "ids": "8086:10d3",
      "driver": "e1000e", "modules": [], "driver_override": "", "interfaces": [{"name": "eno1",
      "up": true, "saved_at": 17, "addresses": [], "routes": []}]}]}]})");
  const State state = StateFile(paths()).load();
  EXPECT_EQ(state.bindings.at(0).devices.at(0).interfaces.at(0).boot_id, "boot");
}

TEST_F(StateFileTest, none_is_an_empty_state) {
  EXPECT_TRUE(StateFile(paths()).load().bindings.empty());
}

TEST_F(StateFileTest, damage_is_reported_with_the_way_out) {
  write("var/lib/vfio-setup/state.json", "{\"bindings\": [");
  try {
    StateFile(paths()).load();
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("move it away"));
  }
}

TEST_F(StateFileTest, put_replaces_and_erase_removes) {
  State state;
  state.put(full_binding());
  state.put(full_binding());
  EXPECT_EQ(state.bindings.size(), 1U);
  state.erase("0000:00:19.0");
  EXPECT_EQ(state.find("0000:00:19.0"), nullptr);
}

}  // namespace
}  // namespace vfio_setup
