// switch_churn: see churn.h. Exit status: 0 all well, 1 not, 2 bad options.
#include <iomanip>
#include <iostream>

#include "churn/churn.h"
#include "lib/program.h"
#include "lib/sanitized.h"

namespace {

// Of memory, over all rounds: what an allocator keeps is not lost.
constexpr int64_t kMostGrownKib = 1024;

void print(const char* when, const testbed::ProcessFacts& facts, std::size_t files) {
  std::cout << "  " << std::left << std::setw(8) << when << facts.descriptors << " descriptors, "
            << facts.threads << " threads, " << files << " files, " << facts.own_kib()
            << " KiB of its own (RssAnon " << facts.anonymous_kib << ", RssFile " << facts.file_kib
            << "; guests' RssShmem " << facts.shared_kib << ")\n";
}

bool judge(const std::string& what, const testbed::ChurnResult& result) {
  std::cout << what << ": " << result.frames << " frames received, "
            << (result.problems.empty() ? "none wrong, no ring stuck" : "FAILED") << "\n";
  for (const std::string& problem : result.problems) std::cout << "WRONG: " << problem << "\n";
  print("before", result.before, result.files_before);
  print("after", result.after, result.files_after);
  std::cout << "  descriptors, threads and files " << (result.nothing_left() ? "as before" : "LEFT")
            << "; memory " << std::showpos << result.grown_kib() << std::noshowpos << " KiB";
  const bool small = testbed::kSanitized || result.grown_kib() <= kMostGrownKib;
  const bool kept = testbed::say(result.nothing_left() && small, "none left, 1 MiB");
  return kept && result.problems.empty();
}

bool churn(const testbed::ChurnOptions& options) {
  const std::string rounds = std::to_string(options.rounds) + " rounds of attach, traffic, detach";
  const std::string restarts = std::to_string(options.restarts) + " restarts under traffic";
  bool good = true;
  if (options.rounds != 0) good &= judge(rounds, testbed::churn_guests(options, std::cerr));
  if (options.restarts != 0) good &= judge(restarts, testbed::churn_switch(options, std::cerr));
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  testbed::ChurnOptions options;
  testbed::Program program("switch_churn",
                           "lets guests, and then the switch itself, come and go under traffic, "
                           "and looks for\nwhat is left of it.");
  program.option("rounds", options.rounds, "of attach, traffic, detach over eight ports");
  program.option("restarts", options.restarts, "of the switch, terminated and killed by turns");
  program.option("seed", options.seed, "of all that is random");
  return program.run(argc, argv, [&] { return churn(options); });
}
