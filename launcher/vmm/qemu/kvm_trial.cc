#include "vmm/qemu/kvm_trial.h"

#include <fcntl.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "process/changes.h"
#include "process/child_process.h"
#include "process/error.h"
#include "process/file_descriptor.h"

namespace launcher::qemu {

namespace {

// A machine without a disk or a kernel that is told to quit as soon as it stands.
ChildOptions trial(const std::filesystem::path& program, std::optional<Credentials> user) {
  ChildOptions options;
  options.arguments = {program.string(),
                       "-no-user-config",
                       "-nodefaults",
                       "-display",
                       "none",
                       "-S",
                       "-machine",
                       "pc",
                       "-accel",
                       "kvm",
                       "-cpu",
                       "max",
                       "-m",
                       "16",
                       "-monitor",
                       "stdio"};
  options.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  options.user = std::move(user);
  return options;
}

// A pipe in which the monitor finds the word, then its end.
FileDescriptor told_to_quit() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  FileDescriptor reader(ends[0]);
  const FileDescriptor writer(ends[1]);
  constexpr std::string_view kQuit = "quit\n";
  if (write(writer.get(), kQuit.data(), kQuit.size()) < 0) return {};
  return reader;
}

}  // namespace

Task<bool> kvm_machine_stands(boost::asio::io_context& loop, std::filesystem::path program,
                              std::optional<Credentials> user, std::chrono::milliseconds limit) {
  const FileDescriptor input = told_to_quit();
  if (!input) co_return false;
  ChildOptions options = trial(program, std::move(user));
  options.input = input.get();
  std::unique_ptr<ChildProcess> machine;
  try {
    machine = std::make_unique<ChildProcess>(loop, options);
  } catch (const LaunchError&) {
    co_return false;
  }
  Changes changes(loop);
  machine->on_end([&changes] { changes.notify(); });
  const auto ended = [&machine] { return !machine->running(); };
  co_await changes.until(ended, Clock::now() + limit);
  co_return machine->succeeded();
}

}  // namespace launcher::qemu
