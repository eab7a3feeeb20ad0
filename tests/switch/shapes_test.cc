// Every way to lay frames out, at every length from 60 to 9014 bytes, there and back.
#include "lib/net.h"

namespace testbed {
namespace {

class Shapes : public testing::TestWithParam<Driver> {
 protected:
  // All lengths, each in three of the shapes of `from`'s driver, so that each shape has thousands.
  void send_all(uint16_t from, uint16_t to) {
    const frontend::Guest& guest = net_.crowd.at(from).guest;
    const bool indirect = (guest.features() & frontend::feature::kIndirect) != 0;
    const auto shapes = chain_shapes(guest.header_size(), indirect);
    std::size_t turn = 0;
    for (uint32_t size = 60; size <= kLargestFrame; ++size) {
      for (int i = 0; i < 3; ++i) {
        net_.crowd.send(from, to, size, shapes[turn++ % shapes.size()].shape);
      }
      ++turn;
    }
  }

  Net net_{1, {"--port", "other"}};
};

TEST_P(Shapes, EveryLengthInEveryShape) {
  net_.add("other", GetParam());
  net_.crowd.announce();
  send_all(0, 1);
  send_all(1, 0);
  const Books books = expect_whole(net_);
  EXPECT_EQ(net_.crowd.pair(0, 1).received, 3u * (kLargestFrame - 59) + 1);
  EXPECT_EQ(books.ingress("other", "forwarded"), 3u * (kLargestFrame - 59));
}

// Shorter than a switch would ever see on a wire, but whole Ethernet frames.
TEST_P(Shapes, ShortFrames) {
  net_.add("other", GetParam());
  net_.crowd.announce();
  const auto shapes = chain_shapes(net_.crowd.at(0).guest.header_size(), true);
  for (uint32_t size = frontend::kHeadSize; size < 60; ++size) {
    for (const NamedShape& each : shapes) net_.crowd.send(0, 1, size, each.shape);
  }
  expect_whole(net_);
}

INSTANTIATE_TEST_SUITE_P(Drivers, Shapes, testing::ValuesIn(drivers()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace testbed
