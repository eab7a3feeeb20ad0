#include "options.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace vfio_setup {
namespace {

Options parse(std::initializer_list<const char*> words) {
  std::vector<const char*> argv{"vfio-setup"};
  argv.insert(argv.end(), words);
  return parse_options(static_cast<int>(argv.size()), argv.data());
}

TEST(Options, bind_with_everything) {
  const Options options = parse({"bind", "auto", "--force", "--confirm-within", "2m",
                                 "--user=router", "--group", "kvm", "--persist", "--dry-run"});
  EXPECT_EQ(options.command, "bind");
  EXPECT_EQ(options.address, "auto");
  EXPECT_EQ(options.confirm_within, std::chrono::minutes(2));
  EXPECT_EQ(options.user, "router");
  EXPECT_TRUE(options.force && options.persist && options.dry_run);
}

TEST(Options, wrong_usage_is_refused) {
  EXPECT_THROW(parse({}), UsageError);
  EXPECT_THROW(parse({"bnid"}), UsageError);
  EXPECT_THROW(parse({"bind"}), UsageError);
  EXPECT_THROW(parse({"bind", "a", "b"}), UsageError);
  EXPECT_THROW(parse({"list", "--persist"}), UsageError);
  EXPECT_THROW(parse({"restore"}), UsageError);
  EXPECT_THROW(parse({"restore", "0000:00:19.0", "--all"}), UsageError);
  EXPECT_THROW(parse({"bind", "auto", "--nonsense"}), UsageError);
}

TEST(Options, all_words_of_the_early_boot) {
  EXPECT_EQ(parse({"claim", "a", "b", "c", "d"}).words,
            (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST(Options, durations) {
  EXPECT_EQ(parse_duration("90"), std::chrono::seconds(90));
  EXPECT_EQ(parse_duration("120s"), std::chrono::seconds(120));
  EXPECT_EQ(parse_duration("1h"), std::chrono::hours(1));
  for (const char* wrong : {"", "0", "-1s", "1.5m", "soon", "99999999999s"}) {
    EXPECT_THROW(parse_duration(wrong), UsageError) << wrong;
  }
}

}  // namespace
}  // namespace vfio_setup
