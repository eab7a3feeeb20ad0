// The real switchd as a process of the test's own, in a directory of its own.
//
// The constructor returns once every socket listens (--ready-fd). Whatever happens, the process
// goes with the object, or with the thread that made it. Ports without a socket of their own listen
// on socket("NAME"). Threads: one an object. Errors: TestbedError, with the end of switchd's log.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "client/rpc_client.h"
#include "control/temporary_directory.h"

namespace testbed {

inline constexpr std::chrono::seconds kDeadline{20};

class TestbedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// "--port a --port b ..." for the first `count` letters of port_name().
std::vector<std::string> port_arguments(unsigned count);
std::string port_name(unsigned number);  // p0, p1, ...

class SwitchProcess {
 public:
  // `arguments` come after those that keep it in its directory. `user`: whom root becomes first,
  // before switchd is executed.
  explicit SwitchProcess(std::vector<std::string> arguments,
                         const std::optional<std::string>& user = std::nullopt);
  ~SwitchProcess();
  SwitchProcess(const SwitchProcess&) = delete;
  SwitchProcess& operator=(const SwitchProcess&) = delete;

  void start();                 // again, after stop() or kill()
  int stop();                   // SIGTERM; the exit status
  void kill();                  // SIGKILL; nothing when it has ended
  int end_status();             // waits until it ends by itself
  std::string start_refused();  // what a start says that fails; throws when it does not
  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }

  nlohmann::json call(const std::string& method, nlohmann::json params = nlohmann::json::object());
  nlohmann::json port(const std::string& name) { return call("port.show", {{"name", name}}); }
  // Waits until the port says so; its reason.
  std::string await_state(const std::string& port, const std::string& state);
  std::string socket(const std::string& port) const;
  std::string control_socket() const { return (directory_ / "control.sock").string(); }
  const std::filesystem::path& directory() const { return directory_.path(); }
  std::string log() const;

 private:
  std::vector<std::string> command(int ready_fd) const;
  void spawn(int ready_fd);
  int wait_for_end();

  control::testing::TemporaryDirectory directory_;
  std::vector<std::string> arguments_;
  std::optional<std::string> user_;
  pid_t pid_ = -1;
  std::unique_ptr<client::RpcClient> control_;
};

}  // namespace testbed
