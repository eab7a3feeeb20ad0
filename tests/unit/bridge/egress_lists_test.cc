// Which frames go to which port, in the order they came.
#include "bridge/egress_lists.h"

#include <gmock/gmock.h>

#include <memory>

namespace bridge::test {
namespace {

using ::testing::ElementsAre;

class EgressListsTest : public ::testing::Test {
 protected:
  std::unique_ptr<EgressLists> lists_ = std::make_unique<EgressLists>();
};

TEST_F(EgressListsTest, ListsOpenAsPortsTurnUpAndKeepTheOrder) {
  EXPECT_EQ(0u, lists_->count());
  lists_->add(9, 5);
  lists_->add(2, 6);
  lists_->add(9, 7);
  lists_->add(9, 1);
  ASSERT_EQ(2u, lists_->count());
  EXPECT_EQ(9, lists_->port(0));
  EXPECT_THAT(lists_->slots(0), ElementsAre(5, 7, 1));
  EXPECT_EQ(2, lists_->port(1));
  EXPECT_THAT(lists_->slots(1), ElementsAre(6));
}

TEST_F(EgressListsTest, ClearedListsAreEmptyAndUsedAgain) {
  lists_->add(9, 5);
  lists_->clear();
  EXPECT_EQ(0u, lists_->count());
  lists_->add(3, 1);
  lists_->add(9, 2);
  ASSERT_EQ(2u, lists_->count());
  EXPECT_EQ(3, lists_->port(0));
  EXPECT_THAT(lists_->slots(1), ElementsAre(2)) << "nothing of the turn before";
}

TEST_F(EgressListsTest, TheWholeBatchToEveryPort) {
  for (uint16_t slot = 0; slot < vhost::Batch::kCapacity; ++slot) {
    for (uint16_t port = 0; port < Topology::kPorts; ++port) lists_->add(port, slot);
  }
  ASSERT_EQ(Topology::kPorts, lists_->count());
  for (unsigned list = 0; list < lists_->count(); ++list) {
    ASSERT_EQ(vhost::Batch::kCapacity, lists_->slots(list).size());
    EXPECT_EQ(255, lists_->slots(list)[255]);
  }
}

}  // namespace
}  // namespace bridge::test
