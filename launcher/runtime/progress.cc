#include "runtime/progress.h"

#include <cstdio>
#include <utility>

namespace launcher {

void Progress::say(const std::string& who, const std::string& what) {
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - start_;
  char time[32];
  std::snprintf(time, sizeof time, "[%6.2f] ", since.count());
  output_ << time << who << (who.empty() ? "" : ": ") << what << std::endl;
  const auto listeners = listeners_;  // one may go while it is told
  for (const auto& [number, listener] : listeners) listener(who + (who.empty() ? "" : ": ") + what);
}

int Progress::add(Listener listener) {
  listeners_.emplace(++last_, std::move(listener));
  return last_;
}

}  // namespace launcher
