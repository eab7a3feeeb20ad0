#include "vmm/qemu/accelerator.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

#include "vmm/vmm.h"

extern char** environ;

namespace launcher::qemu {

namespace {

// A machine without a disk or a kernel that is told to quit as soon as it stands.
bool kvm_machine_stands(const std::filesystem::path& program) {
  // Where it does not, QEMU may abort: no core, and no word of that.
  const std::string command =
      "exec >/dev/null 2>&1; ulimit -c 0; echo quit | timeout 120 \"$0\" -no-user-config "
      "-nodefaults -display none -S -machine pc -accel kvm -cpu max -m 16 -monitor stdio";
  std::string path = program.string();
  std::string shell = "/bin/sh", option = "-c", script = command;
  char* arguments[] = {shell.data(), option.data(), script.data(), path.data(), nullptr};
  pid_t child = 0;
  if (::posix_spawn(&child, shell.c_str(), nullptr, nullptr, arguments, environ) != 0) return false;
  int status = -1;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Accelerator try_out(const std::filesystem::path& program) {
  if (::access("/dev/kvm", R_OK | W_OK) != 0) return Accelerator::tcg;
  return kvm_machine_stands(program) ? Accelerator::kvm : Accelerator::tcg;
}

}  // namespace

Accelerator choose_accelerator(const std::filesystem::path& program) {
  if (const char* forced = std::getenv("LAUNCHER_QEMU_ACCELERATOR")) {
    const std::string value = forced;
    if (value == "kvm") return Accelerator::kvm;
    if (value == "tcg") return Accelerator::tcg;
    throw VmmError("LAUNCHER_QEMU_ACCELERATOR is '" + value + "'; it may be kvm or tcg");
  }
  static std::map<std::filesystem::path, Accelerator> known;
  const auto found = known.find(program);
  if (found != known.end()) return found->second;
  return known[program] = try_out(program);
}

const char* name_of(Accelerator accelerator) {
  return accelerator == Accelerator::kvm ? "kvm" : "tcg";
}

}  // namespace launcher::qemu
