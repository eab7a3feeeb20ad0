// `launcher console VM`: this terminal becomes the VM's serial console until Ctrl-].
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <string>

#include "cli/client_commands.h"
#include "process/error.h"
#include "process/file_descriptor.h"

namespace launcher {
namespace {

constexpr char kDetach = 0x1d;  // Ctrl-]

FileDescriptor connect_to(const std::filesystem::path& path) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw LaunchError(path.string() + ": " + std::strerror(errno));
  }
  return socket;
}

// Every key goes to the guest as it is, ^C included, for as long as this lives.
class RawTerminal {
 public:
  RawTerminal() : is_terminal_(tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!is_terminal_) return;
    termios raw = before_;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  ~RawTerminal() {
    if (is_terminal_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool is_terminal_;
};

bool write_all(int fd, const char* bytes, size_t length) {
  while (length > 0) {
    const ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    length -= static_cast<size_t>(written);
  }
  return true;
}

// False: detach.
bool pass_keys(int socket, bool& has_input) {
  char keys[512];
  const ssize_t length = read(STDIN_FILENO, keys, sizeof keys);
  if (length <= 0) {
    has_input = false;
    return true;
  }
  const auto count = static_cast<size_t>(length);
  const void* detach = std::memchr(keys, kDetach, count);
  if (detach == nullptr) return write_all(socket, keys, count);
  write_all(socket, keys, static_cast<size_t>(static_cast<const char*>(detach) - keys));
  return false;
}

}  // namespace

int console_command(const Options& options) {
  const FileDescriptor socket = connect_to(vm_path(options, "console"));
  std::cerr << "console of " << options.words.at(0) << "; Ctrl-] leaves it\r\n";
  const RawTerminal terminal;
  bool has_input = true;
  while (true) {
    pollfd waits[] = {{socket.get(), POLLIN, 0}, {has_input ? STDIN_FILENO : -1, POLLIN, 0}};
    if (poll(waits, 2, -1) < 0 && errno != EINTR) break;
    if (waits[1].revents != 0 && !pass_keys(socket.get(), has_input)) break;
    if (waits[0].revents == 0) continue;
    char output[4096];
    const ssize_t length = read(socket.get(), output, sizeof output);
    if (length <= 0 || !write_all(STDOUT_FILENO, output, static_cast<size_t>(length))) break;
  }
  std::cerr << "\r\nconsole left\r\n";
  return 0;
}

}  // namespace launcher
