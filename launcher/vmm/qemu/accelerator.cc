#include "vmm/qemu/accelerator.h"

#include <unistd.h>

#include <cstdlib>
#include <map>
#include <utility>

#include "vmm/qemu/kvm_trial.h"
#include "vmm/vmm.h"

namespace launcher::qemu {

namespace {

std::optional<Accelerator> forced() {
  const char* word = std::getenv("LAUNCHER_QEMU_ACCELERATOR");
  if (word == nullptr) return std::nullopt;
  const std::string value = word;
  if (value == "kvm") return Accelerator::kvm;
  if (value == "tcg") return Accelerator::tcg;
  throw VmmError("LAUNCHER_QEMU_ACCELERATOR is '" + value + "'; it may be kvm or tcg");
}

}  // namespace

Task<Accelerator> choose_accelerator(boost::asio::io_context& loop, std::filesystem::path program,
                                     std::optional<Credentials> user) {
  if (const auto word = forced()) co_return *word;
  if (::access("/dev/kvm", R_OK | W_OK) != 0) co_return Accelerator::tcg;
  using Key = std::pair<std::filesystem::path, std::optional<Credentials>>;
  static std::map<Key, Accelerator> known;
  const Key key{program, user};
  const auto found = known.find(key);
  if (found != known.end()) co_return found->second;
  const bool stands = co_await kvm_machine_stands(loop, std::move(program), std::move(user));
  co_return known[key] = stands ? Accelerator::kvm : Accelerator::tcg;
}

const char* name_of(Accelerator accelerator) {
  return accelerator == Accelerator::kvm ? "kvm" : "tcg";
}

}  // namespace launcher::qemu
