// The example of a configuration holds every setting, and each line of it is right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>

#include "control/config_file.h"
#include "control/files.h"
#include "control/port_settings_table.h"
#include "control/switch_settings_table.h"

namespace control {
namespace {

std::string example() {
  return read_file(SWITCHD_EXAMPLE).value();
}

Configuration parse(const std::string& text) {
  Configuration configuration;
  read_config(text, "example", configuration);
  return configuration;
}

TEST(Example, SetsNothingAsItIs) {
  const Configuration configuration = parse(example());
  EXPECT_TRUE(configuration.origins.empty());
  EXPECT_TRUE(configuration.ports.empty());
}

TEST(Example, SetsEverythingOnceUncommented) {
  const std::regex commented("^#(?=[a-z_]+ = |\\[\\[port)", std::regex::multiline);
  const Configuration configuration = parse(std::regex_replace(example(), commented, ""));
  for (const SwitchSettingRow& row : switch_settings_table()) {
    EXPECT_EQ(configuration.origins.count(row.key), 1u) << row.key;
  }
  ASSERT_EQ(configuration.ports.size(), 1u);
  for (const PortSettingRow& row : port_settings_table()) {
    EXPECT_EQ(configuration.ports[0].origins.count(row.key), 1u) << row.key;
  }
}

}  // namespace
}  // namespace control
