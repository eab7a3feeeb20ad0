// What a tool prints is told apart from what it says beside that.
#include "process.h"

#include <gmock/gmock.h>

#include <stdexcept>

namespace vfio_setup {
namespace {

TEST(Process, what_a_tool_complains_of_is_no_part_of_its_output) {
  const ToolResult result = run_tool("sh", {"-c", "echo WARNING: old config >&2; echo e1000e"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, "e1000e\n");
  EXPECT_EQ(result.error, "WARNING: old config\n");
}

TEST(Process, much_of_both_does_not_stop_it) {
  const ToolResult result =
      run_tool("sh", {"-c", "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero"});
  EXPECT_EQ(result.output.size(), 300000U);
  EXPECT_EQ(result.error.size(), 300000U);
}

TEST(Process, a_failure_is_told_in_the_tools_own_words) {
  try {
    require_tool("sh", {"-c", "echo some output; echo no such thing >&2; exit 3"});
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), testing::EndsWith("failed: no such thing\n"));
  }
}

}  // namespace
}  // namespace vfio_setup
