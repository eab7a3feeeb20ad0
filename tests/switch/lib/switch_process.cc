#include "lib/switch_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "frontend/file_descriptor.h"

namespace testbed {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kStep{5};

const passwd* account(const std::optional<std::string>& user) {
  if (!user) return nullptr;
  const passwd* entry = getpwnam(user->c_str());
  if (entry == nullptr) throw TestbedError("there is no user '" + *user + "'");
  return entry;
}

// In the child, between fork and exec: no allocation, nothing that could throw.
[[noreturn]] void become_switchd(int program, char* const* argv, int log, int ready_fd,
                                 const passwd* user) {
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  fcntl(ready_fd, F_SETFD, 0);
  if (user != nullptr &&
      (setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)) {
    _exit(126);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // after setuid(), which clears it
  fexecve(program, argv, environ);
  _exit(127);
}

}  // namespace

std::string port_name(unsigned number) {
  return "p" + std::to_string(number);
}

std::vector<std::string> port_arguments(unsigned count) {
  std::vector<std::string> arguments;
  for (unsigned i = 0; i < count; ++i) {
    arguments.push_back("--port");
    arguments.push_back(port_name(i));
  }
  return arguments;
}

SwitchProcess::SwitchProcess(std::vector<std::string> arguments,
                             const std::optional<std::string>& user)
    : arguments_(std::move(arguments)), user_(user) {
  if (const passwd* entry = account(user_)) {
    if (chown(directory_.path().c_str(), entry->pw_uid, entry->pw_gid) != 0) {
      throw TestbedError("chown: " + std::string(std::strerror(errno)));
    }
  }
  start();
}

SwitchProcess::~SwitchProcess() {
  kill();
}

std::vector<std::string> SwitchProcess::command(int ready_fd) const {
  std::vector<std::string> words = {SWITCHD_PROGRAM,
                                    "--control-socket",
                                    control_socket(),
                                    "--socket-dir",
                                    directory_.path().string(),
                                    "--state-file",
                                    (directory_ / "ports.json").string(),
                                    "--ready-fd",
                                    std::to_string(ready_fd)};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  return words;
}

void SwitchProcess::spawn(int ready_fd) {
  std::vector<std::string> words = command(ready_fd);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const passwd* user = account(user_);
  // Opened by whoever calls: the user may not reach the directory where it was built.
  const frontend::FileDescriptor program(open(SWITCHD_PROGRAM, O_PATH | O_CLOEXEC));
  const frontend::FileDescriptor log(
      open((directory_ / "switchd.log").c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644));
  pid_ = fork();
  if (pid_ < 0) throw TestbedError("fork: " + std::string(std::strerror(errno)));
  if (pid_ == 0) become_switchd(program.get(), argv.data(), log.get(), ready_fd, user);
}

void SwitchProcess::start() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw TestbedError("pipe: " + std::string(std::strerror(errno)));
  const frontend::FileDescriptor ready(ends[0]);
  frontend::FileDescriptor theirs(ends[1]);
  spawn(theirs.get());
  theirs.reset();
  pollfd waiting{ready.get(), POLLIN, 0};
  const auto timeout = std::chrono::milliseconds(kDeadline).count();
  char said = 0;
  if (poll(&waiting, 1, static_cast<int>(timeout)) <= 0) {
    kill();
    throw TestbedError("switchd is not ready before the deadline:\n" + log());
  }
  if (read(ready.get(), &said, 1) != 1 || said != '\n') {
    const int status = wait_for_end();
    throw TestbedError("switchd ended with status " + std::to_string(status) + ":\n" + log());
  }
}

std::string SwitchProcess::start_refused() {
  try {
    start();
  } catch (const TestbedError& error) {
    return error.what();
  }
  throw TestbedError("switchd started, and should not have");
}

int SwitchProcess::wait_for_end() {
  const auto deadline = Clock::now() + kDeadline;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) != pid_) {
    if (Clock::now() > deadline) {
      kill();
      throw TestbedError("switchd does not end:\n" + log());
    }
    std::this_thread::sleep_for(kStep);
  }
  pid_ = -1;
  control_.reset();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int SwitchProcess::stop() {
  ::kill(pid_, SIGTERM);
  return wait_for_end();
}

int SwitchProcess::end_status() {
  return wait_for_end();
}

void SwitchProcess::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  control_.reset();
}

nlohmann::json SwitchProcess::call(const std::string& method, nlohmann::json params) {
  if (!control_) control_ = std::make_unique<client::RpcClient>(control_socket());
  return control_->call(method, std::move(params));
}

std::string SwitchProcess::await_state(const std::string& name, const std::string& state) {
  const auto deadline = Clock::now() + kDeadline;
  for (;;) {
    const nlohmann::json now = port(name);
    if (now.at("state") == state) return now.at("reason").get<std::string>();
    if (Clock::now() > deadline) {
      throw TestbedError("port " + name + " does not become " + state + ", it is " +
                         now.at("state").get<std::string>() + ": " +
                         now.at("reason").get<std::string>());
    }
    std::this_thread::sleep_for(kStep);
  }
}

std::string SwitchProcess::socket(const std::string& port) const {
  return (directory_ / (port + ".sock")).string();
}

std::string SwitchProcess::log() const {
  std::ostringstream text;
  text << std::ifstream(directory_ / "switchd.log").rdbuf();
  return text.str();
}

}  // namespace testbed
