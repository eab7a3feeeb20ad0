#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>

#include "checks.h"
#include "commands.h"

namespace vfio_setup {

int check_command(const CommandContext& context) {
  const std::vector<Finding> findings = run_checks(context.paths);
  nlohmann::json all = nlohmann::json::array();
  for (const Finding& finding : findings) {
    all.push_back({{"subject", finding.subject},
                   {"grade", name_of(finding.grade)},
                   {"text", finding.text},
                   {"remedy", finding.remedy}});
    if (context.options.json) continue;
    context.out << std::left << std::setw(8) << name_of(finding.grade) << finding.subject << ": "
                << finding.text << "\n";
    if (!finding.remedy.empty()) context.out << "        -> " << finding.remedy << "\n";
  }
  if (context.options.json) context.out << all.dump(2) << "\n";
  const bool fails = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.grade == Grade::failure;
  });
  return fails ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace vfio_setup
