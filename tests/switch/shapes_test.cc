// Every way to lay frames out, at every length from 32 to 9014 bytes, there and back.
#include "lib/net.h"

namespace testbed {
namespace {

// Shapes that each length is sent in, one after the other: enough for each to come by thousands.
constexpr uint64_t kShapesALength = kSanitized ? 1 : 3;
constexpr uint64_t kLengths = kLargestFrame - frontend::kHeadSize + 1;

class Shapes : public testing::TestWithParam<Driver> {
 protected:
  void send_all(uint16_t from, uint16_t to) {
    const frontend::Guest& guest = net_.crowd.at(from).guest;
    const bool indirect = (guest.features() & frontend::feature::kIndirect) != 0;
    const auto shapes = chain_shapes(guest.header_size(), indirect);
    for (uint32_t size = frontend::kHeadSize; size <= kLargestFrame; ++size) {
      for (uint64_t i = 0; i < kShapesALength; ++i) {
        net_.crowd.send(from, to, size, shapes[(5 * size + i) % shapes.size()].shape);
      }
    }
  }

  Net net_{1};
};

TEST_P(Shapes, EveryLengthInEveryShape) {
  net_.process.call("port.add", {{"name", "other"}, {"packed", GetParam().packed}});
  net_.add("other", GetParam());
  net_.crowd.announce();
  send_all(0, 1);
  send_all(1, 0);
  const Books books = expect_whole(net_);
  EXPECT_EQ(net_.crowd.pair(0, 1).received, kShapesALength * kLengths + 1);
  EXPECT_EQ(books.ingress("other", "forwarded"), kShapesALength * kLengths);
}

INSTANTIATE_TEST_SUITE_P(Drivers, Shapes, testing::ValuesIn(drivers()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(PackedDrivers, Shapes, testing::ValuesIn(packed_drivers()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace testbed
