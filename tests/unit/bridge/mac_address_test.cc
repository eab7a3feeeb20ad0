// Addresses as they lie on the wire and as people write them.
#include "bridge/mac_address.h"

#include <gtest/gtest.h>

#include <string>

namespace bridge::test {
namespace {

TEST(MacAddressTest, TextAndBack) {
  for (const char* text : {"52:54:00:12:34:56", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff",
                           "01:80:c2:00:00:0e", "02:00:00:00:00:01"}) {
    const auto address = MacAddress::parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(text, address->to_string());
  }
}

TEST(MacAddressTest, CapitalsAndDashesAreRead) {
  EXPECT_EQ(MacAddress::parse("0a:1b:2c:3d:4e:5f"), MacAddress::parse("0A-1B-2C-3D-4E-5F"));
}

TEST(MacAddressTest, AnythingElseIsNoAddress) {
  for (const char* text :
       {"", "52:54:00:12:34", "52:54:00:12:34:5", "52:54:00:12:34:567", "52:54:00:12:34:5g",
        "52.54.00.12.34.56", "5:254:00:12:34:56", "52:54:00:12:34: 6", "52:54:00:12:34:-6",
        "52:54:00:12:34:+6", "0x:54:00:12:34:56", "52:54:00:12:34:56 ", " 52:54:00:12:34:56"}) {
    EXPECT_FALSE(MacAddress::parse(text).has_value()) << text;
  }
}

TEST(MacAddressTest, TheFirstOctetOnTheWireIsTheLowest) {
  const auto address = MacAddress::from_wire_bits(0xaaaa'5634'1200'5452);
  EXPECT_EQ("52:54:00:12:34:56", address.to_string());
  EXPECT_EQ(0x5634'1200'5452u, address.wire_bits()) << "what lies behind the address is cut off";
}

TEST(MacAddressTest, GroupsBroadcastAndZero) {
  EXPECT_TRUE(MacAddress::parse("01:00:5e:00:00:01")->is_group());
  EXPECT_FALSE(MacAddress::parse("01:00:5e:00:00:01")->is_broadcast());
  EXPECT_TRUE(MacAddress::parse("ff:ff:ff:ff:ff:ff")->is_group());
  EXPECT_TRUE(MacAddress::parse("ff:ff:ff:ff:ff:ff")->is_broadcast());
  EXPECT_FALSE(MacAddress::parse("fe:ff:ff:ff:ff:ff")->is_group());
  EXPECT_FALSE(MacAddress::parse("02:00:00:00:00:01")->is_group());
  EXPECT_TRUE(MacAddress().is_zero());
  EXPECT_FALSE(MacAddress::parse("00:00:00:00:00:01")->is_zero());
}

}  // namespace
}  // namespace bridge::test
