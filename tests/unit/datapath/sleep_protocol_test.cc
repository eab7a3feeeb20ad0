// No wake-up is ever lost: the sleep protocol in every order of steps (sleep_model.h), and each of
// its steps left out once, which the checker must notice.
#include <gtest/gtest.h>

#include <iostream>

#include "sleep_model.h"

namespace datapath::test {
namespace {

// Event indices, or flags.
class SleepProtocolTest : public ::testing::TestWithParam<bool> {
 protected:
  Scenario scenario() const {
    Scenario one;
    one.event_idx = GetParam();
    return one;
  }
  void expect_safe(const Scenario& one) {
    Model model(one);
    EXPECT_EQ("", model.check());
    EXPECT_GT(model.sleeps(), 0u) << "the model must get to sleep";
    RecordProperty("states", static_cast<int>(model.states()));
    std::cout << "[ " << model.states() << " states ]\n";
  }
  void expect_violation(Scenario one, Without without) {
    one.without = without;
    EXPECT_NE("", Model(one).check());
  }
};

TEST_P(SleepProtocolTest, ADriverThatPublishesAndKicks) {
  for (unsigned chains = 0; chains <= 3; ++chains) {
    Scenario one = scenario();
    one.chains = chains;
    expect_safe(one);
  }
}

TEST_P(SleepProtocolTest, ARingThatStarts) {
  Scenario one = scenario();
  one.starts = true;
  expect_safe(one);
}

TEST_P(SleepProtocolTest, SnapshotsThatArePublished) {
  Scenario one = scenario();
  one.chains = 1;
  one.publishes = 2;
  expect_safe(one);
}

TEST_P(SleepProtocolTest, AWorkerThatIsStopped) {
  Scenario one = scenario();
  one.stops = true;
  expect_safe(one);
}

TEST_P(SleepProtocolTest, EverythingAtOnce) {
  Scenario one = scenario();
  one.chains = 1;
  one.starts = true;
  one.publishes = 1;
  one.stops = true;
  expect_safe(one);
}

// --- The checker can fail: each step is needed.

TEST_P(SleepProtocolTest, WithoutTheWorkersFenceAWakeUpIsLost) {
  expect_violation(scenario(), Without::worker_fence);
}

TEST_P(SleepProtocolTest, WithoutTheDriversFenceAWakeUpIsLost) {
  expect_violation(scenario(), Without::driver_fence);
}

TEST_P(SleepProtocolTest, WithoutAskingForKicksAWakeUpIsLost) {
  expect_violation(scenario(), Without::enable_kicks);
}

TEST_P(SleepProtocolTest, WithoutTheSecondLookAWakeUpIsLost) {
  expect_violation(scenario(), Without::second_look);
}

TEST_P(SleepProtocolTest, WithoutTheOwnEventAStopIsMissed) {
  Scenario one = scenario();
  one.stops = true;
  expect_violation(one, Without::own_event);
}

TEST_P(SleepProtocolTest, WithoutAWakeUpARingThatStartsIsMissed) {
  Scenario one = scenario();
  one.starts = true;
  expect_violation(one, Without::wake_after_start);
}

TEST_P(SleepProtocolTest, WithoutWatchingItsDescriptorKicksAreMissed) {
  Scenario one = scenario();
  one.starts = true;
  expect_violation(one, Without::watch);
}

TEST_P(SleepProtocolTest, WithoutGoingOfflineAPublicationWaitsForASleeper) {
  Scenario one = scenario();
  one.publishes = 1;
  expect_violation(one, Without::offline);
}

TEST_P(SleepProtocolTest, WithoutComingOnlineASnapshotIsUsedThatHasGone) {
  Scenario one = scenario();
  one.publishes = 2;
  expect_violation(one, Without::online);
}

INSTANTIATE_TEST_SUITE_P(Suppression, SleepProtocolTest, ::testing::Bool(),
                         [](const auto& mode) { return mode.param ? "EventIndex" : "Flags"; });

}  // namespace
}  // namespace datapath::test
