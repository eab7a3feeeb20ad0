#include "runtime/segment.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "client/rpc_client.h"
#include "process/error.h"
#include "runtime/accounts.h"
#include "runtime/log_tail.h"
#include "runtime/programs.h"
#include "runtime/state_directory.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::chrono::seconds kStartWithin{60};
constexpr std::chrono::seconds kStopWithin{30};
constexpr std::chrono::seconds kRestartPause{1};
constexpr std::chrono::milliseconds kAskAgain{100};
constexpr std::chrono::seconds kVmmGoneWithin{5};

}  // namespace

Segment::Segment(Background& background, Progress& progress, Changes& changes,
                 SegmentOptions options)
    : background_(background),
      progress_(progress),
      changes_(changes),
      options_(std::move(options)),
      watch_(changes.loop(), [this] { on_end(); }) {}

Segment::~Segment() = default;

fs::path Segment::control_socket() const {
  return options_.config.start ? options_.directory / "control.sock"
                               : options_.config.control_socket;
}

std::optional<pid_t> Segment::pid() const {
  if (!process_ || !process_->running()) return std::nullopt;
  return process_->pid();
}

const char* Segment::state() const {
  if (!started_) return "stopped";
  return recovering_ ? "away" : "running";
}

Task<json> Segment::call(std::string method, json params) {
  const auto request = [socket = control_socket(), method, params] {
    return ask(socket, method, params);
  };
  co_return co_await background_.run(request);
}

std::vector<std::string> Segment::arguments() const {
  const SwitchConfig& config = options_.config;
  std::vector<std::string> words = {options_.program.string(),
                                    "--control-socket",
                                    control_socket().string(),
                                    "--socket-dir",
                                    options_.directory.string(),
                                    "--state-file",
                                    (options_.directory / "ports.json").string(),
                                    "--ready-fd",
                                    "3"};
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {option, value});
  };
  add("--config", config.config.string());
  add("--workers", config.workers);
  add("--poll", config.poll);
  return words;
}

// One at a time: a second start finds what the first has made, or tries for itself.
Task<> Segment::start() {
  const auto is_free = [this] { return !starting_; };
  co_await changes_.until(is_free, Clock::now() + kForever);
  if (started_) co_return;
  starting_ = true;
  std::exception_ptr failure;
  try {
    co_await start_switch();
    started_ = true;
  } catch (...) {
    failure = std::current_exception();
  }
  starting_ = false;
  changes_.notify();
  if (failure) std::rethrow_exception(failure);
}

Task<> Segment::start_switch() {
  if (options_.config.start) {
    StateDirectory::make_private(options_.directory, kPassThrough, options_.user);
    co_await launch();
    progress_.say("switch " + name(), "running, process id " + std::to_string(process_->pid()));
  } else {
    json none = json::object();
    co_await call("status", std::move(none));
    watch_.connect(control_socket());
    progress_.say("switch " + name(), "runs already, " + control_socket().string());
  }
}

Task<> Segment::launch() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw LaunchError("no pipe for the switch");
  const FileDescriptor listen(ends[0]), ready(ends[1]);
  const FileDescriptor log(
      open(options_.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  ChildOptions child;
  child.arguments = arguments();
  child.environment = plain_environment(options_.directory);
  // Where DPDK keeps files of its own for a user that is not root.
  child.environment.push_back("XDG_RUNTIME_DIR=" + options_.directory.string());
  child.user = options_.user;
  child.output = child.error = log.get();
  child.descriptors = {{ready.get(), 3}};
  process_ = std::make_unique<ChildProcess>(changes_.loop(), child);
  launched_ = Clock::now();
  process_->on_end([this] { on_end(); });
  co_await await_ready(listen.get());
}

Task<> Segment::await_ready(int ready) {
  const auto deadline = Clock::now() + kStartWithin;
  constexpr std::chrono::milliseconds kPause{20};
  const auto is_ready = [ready] {
    char newline = 0;
    return read(ready, &newline, 1) == 1 && newline == '\n';
  };
  while (!is_ready()) {
    if (!process_->running()) {
      throw LaunchError("switch " + name() + " ended at its start (" + process_->end_text() +
                        "): " + last_lines(options_.log, 3));
    }
    if (Clock::now() > deadline) {
      throw LaunchError("switch " + name() + " is not ready after " +
                        std::to_string(kStartWithin.count()) +
                        " s; its log: " + options_.log.string());
    }
    co_await changes_.wait(Clock::now() + kPause);
  }
}

void Segment::on_end() {
  changes_.notify();
  if (!started_ || recovering_) return;
  recovering_ = true;
  auto recovery = options_.config.start ? recover() : recover_other();
  boost::asio::co_spawn(changes_.loop(), std::move(recovery),
                        [this, alive = std::weak_ptr(alive_)](const std::exception_ptr& error) {
                          if (!alive.expired()) {
                            recovering_ = false;
                            changes_.notify();
                          }
                          if (error) std::rethrow_exception(error);
                        });
}

Task<> Segment::recover() {
  while (started_) {
    progress_.warn("switch " + name(), "ended (" + process_->end_text() +
                                           "): " + last_lines(options_.log, 3) + "; started again");
    // The first time at once: VMMs wait for it.
    if (Clock::now() - launched_ < kRestartPause) {
      const auto resume = Clock::now() + kRestartPause;
      co_await changes_.until([this] { return !started_; }, resume);
      if (!started_) co_return;
    }
    std::string problem;
    try {
      co_await launch();
      co_await restore_ports();
      progress_.say("switch " + name(), "running again, ports: " + std::to_string(ports_.size()));
    } catch (const std::exception& error) {
      problem = error.what();
    }
    if (problem.empty() && process_->running()) co_return;
    if (!problem.empty()) progress_.warn("switch " + name(), problem);
    process_->signal(SIGKILL);
    const auto ended = [this] { return !process_->running(); };
    co_await changes_.until(ended, Clock::now() + kStopWithin);
  }
}

// Somebody else starts it again, sooner or later.
Task<> Segment::recover_other() {
  progress_.warn(
      "switch " + name(),
      control_socket().string() + ": has gone away; its ports are added again when it is back");
  std::string told;
  while (started_) {
    std::string problem;
    try {
      if (!watch_.connected()) watch_.connect(control_socket());
      co_await restore_ports();
    } catch (const std::exception& error) {
      problem = error.what();
    }
    if (problem.empty() && watch_.connected()) {
      progress_.say("switch " + name(), "is back, ports: " + std::to_string(ports_.size()));
      co_return;
    }
    // Until it listens, there is nothing to tell.
    if (watch_.connected() && problem != told) progress_.warn("switch " + name(), problem);
    told = problem;
    const auto is_over = [this] { return !started_; };
    co_await changes_.until(is_over, Clock::now() + kAskAgain);
  }
}

Task<> Segment::restore_ports() {
  const auto ports = ports_;
  for (const auto& [port, wish] : ports) {
    if (!ports_.contains(port)) continue;
    PortWish again = wish;
    co_await make_port(std::move(again), true);
  }
}

Task<> Segment::stop() {
  started_ = false;
  changes_.notify();
  const auto recovered = [this] { return !recovering_; };
  co_await changes_.until(recovered, Clock::now() + kStartWithin);
  if (!process_) co_return;
  const auto ended = [this] { return !process_->running(); };
  process_->signal(SIGTERM);
  bool in_time = co_await changes_.until(ended, Clock::now() + kStopWithin);
  if (!in_time) {
    progress_.warn("switch " + name(), "does not end and is killed");
    process_->signal(SIGKILL);
    co_await changes_.until(ended, Clock::now() + kStopWithin);
  }
  process_.reset();
  std::error_code error;
  fs::remove_all(options_.directory, error);
  progress_.say("switch " + name(), "stopped");
}

Task<fs::path> Segment::add_port(PortWish wish) {
  ports_[wish.name] = wish;
  std::exception_ptr failure;
  fs::path socket;
  try {
    PortWish copy = wish;
    socket = co_await make_port(std::move(copy), false);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    ports_.erase(wish.name);
    std::rethrow_exception(failure);
  }
  co_return socket;
}

Task<fs::path> Segment::make_port(PortWish wish, bool keeps) {
  const PortRequest request{control_socket(), switch_user(), port_name(wish.name), wish, keeps};
  const auto ask_for_it = [request] { return launcher::make_port(request); };
  const auto deadline = Clock::now() + kVmmGoneWithin;
  json port;
  while (port.is_null()) {
    try {
      port = co_await background_.run(ask_for_it);
    } catch (const PortInUse&) {
      // A VMM whose launcher was killed is about to end.
      if (Clock::now() >= deadline) throw;
    }
    if (port.is_null()) co_await changes_.wait(Clock::now() + kAskAgain);
  }
  const fs::path socket = port.at("socket").get<std::string>();
  if (wish.user) give(socket, wish);
  co_return socket;
}

// Whoever owns its control socket, which is in a directory of root's or of the switch's own: it
// cannot put another's socket there.
uid_t Segment::switch_user() const {
  if (options_.config.start) return options_.user ? options_.user->uid : geteuid();
  struct stat facts {};
  const fs::path socket = control_socket();
  if (lstat(socket.c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) {
    throw LaunchError(socket.string() +
                      ": is not the socket of a switch; name it itself, not a link");
  }
  return facts.st_uid;
}

void Segment::give(const fs::path& socket, const PortWish& wish) const {
  const fs::path directory = options_.config.start ? options_.directory : socket.parent_path();
  const fs::path expected = directory / (port_name(wish.name) + ".sock");
  if (socket != expected || !socket.is_absolute()) {
    throw LaunchError("switch " + name() + " names " + socket.string() + " as the socket of port " +
                      port_name(wish.name) + ", which is none of that name; it is not given away");
  }
  give_socket(socket, switch_user(), *wish.user);
}

Task<> Segment::remove_port(std::string name) {
  if (ports_.erase(name) == 0) co_return;
  json params = {{"name", port_name(name)}, {"force", true}};
  try {
    co_await call("port.remove", std::move(params));
  } catch (const client::RpcError&) {
    // It is gone: the switch was started anew.
  } catch (const client::ConnectError&) {
    // So is the switch, and its ports with it.
  }
}

Task<std::string> Segment::port_state(std::string name) {
  json params = {{"name", port_name(name)}};
  try {
    const json port = co_await call("port.show", std::move(params));
    co_return port.value("state", "");
  } catch (const client::RpcError&) {
  } catch (const client::ConnectError&) {
  }
  co_return "";
}

}  // namespace launcher
