#include "vmm/qemu/accelerator.h"

#include <unistd.h>

#include <cstdlib>
#include <map>
#include <utility>

#include "vmm/qemu/kvm_trial.h"
#include "vmm/vmm.h"

namespace launcher::qemu {

namespace {

Accelerator try_out(const std::filesystem::path& program, const std::optional<Credentials>& user) {
  if (::access("/dev/kvm", R_OK | W_OK) != 0) return Accelerator::tcg;
  return kvm_machine_stands(program, user) ? Accelerator::kvm : Accelerator::tcg;
}

}  // namespace

Accelerator choose_accelerator(const std::filesystem::path& program,
                               const std::optional<Credentials>& user) {
  if (const char* forced = std::getenv("LAUNCHER_QEMU_ACCELERATOR")) {
    const std::string value = forced;
    if (value == "kvm") return Accelerator::kvm;
    if (value == "tcg") return Accelerator::tcg;
    throw VmmError("LAUNCHER_QEMU_ACCELERATOR is '" + value + "'; it may be kvm or tcg");
  }
  using Key = std::pair<std::filesystem::path, std::optional<Credentials>>;
  static std::map<Key, Accelerator> known;
  const Key key{program, user};
  const auto found = known.find(key);
  if (found != known.end()) return found->second;
  return known[key] = try_out(program, user);
}

const char* name_of(Accelerator accelerator) {
  return accelerator == Accelerator::kvm ? "kvm" : "tcg";
}

}  // namespace launcher::qemu
