#include "lib/process_facts.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "lib/switch_process.h"

namespace testbed {
namespace {

std::string content_of(pid_t pid, const char* file) {
  std::ostringstream text;
  text << std::ifstream("/proc/" + std::to_string(pid) + "/" + file).rdbuf();
  if (text.str().empty()) throw TestbedError("process " + std::to_string(pid) + " has gone");
  return text.str();
}

// The first number behind "Name:".
uint64_t number_of(const std::string& status, const std::string& name, int base = 10) {
  const std::size_t at = status.find("\n" + name + ":");
  if (at == std::string::npos) throw TestbedError("/proc/PID/status has no line " + name);
  return std::stoull(status.substr(at + name.size() + 2), nullptr, base);
}

uint64_t descriptors_of(pid_t pid) {
  std::error_code error;
  const std::filesystem::directory_iterator open("/proc/" + std::to_string(pid) + "/fd", error);
  if (error) throw TestbedError("the descriptors of " + std::to_string(pid) + " cannot be seen");
  return static_cast<uint64_t>(std::distance(begin(open), end(open)));
}

}  // namespace

ProcessFacts facts_of(pid_t pid) {
  const std::string status = content_of(pid, "status");
  ProcessFacts facts;
  facts.anonymous_kib = number_of(status, "RssAnon");
  facts.file_kib = number_of(status, "RssFile");
  facts.shared_kib = number_of(status, "RssShmem");
  facts.huge_kib = number_of(status, "HugetlbPages");
  facts.threads = number_of(status, "Threads");
  facts.descriptors = descriptors_of(pid);
  facts.capabilities = number_of(status, "CapEff", 16) | number_of(status, "CapPrm", 16);
  facts.user = static_cast<int64_t>(number_of(status, "Uid"));
  return facts;
}

std::chrono::duration<double> cpu_time_of(pid_t pid) {
  const std::string stat = content_of(pid, "stat");
  // Behind the name, which may hold anything: state is field 3, utime 14, stime 15.
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return std::chrono::duration<double>((user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

}  // namespace testbed
