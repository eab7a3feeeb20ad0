// A VMM without a guest: attaches to its ports as a guest's driver would, answers ARP if told to,
// echoes its console, and obeys words on its control socket.
//
//   fake_vmm CONTROL-SOCKET BEHAVIOUR PORT-SOCKET...
//
// BEHAVIOUR: words with commas between them
//   no-power-button, no-shutdown   take the word and do nothing
//   refuse-boot, hang-boot         answer with an error, or never
//   no-net                         leave the ports alone
//   end=N                          end with status N as soon as it booted
//   end-at-add-net                 end with status 9 when told to add an interface
//   address=A.B.C.D                answer ARP for it on every port
//   panic, late                    nothing; alone, its driver tells of a guest that panicked, or of
//                                  one that lets go of a device when nobody waits for it
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "frontend/guest.h"

namespace {

struct Behaviour {
  std::string text;

  bool has(const std::string& word) const {
    return ("," + text + ",").find("," + word + ",") != std::string::npos;
  }
  std::string value(const std::string& key) const {
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, ',');) {
      if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
    }
    return "";
  }
};

class Machine {
 public:
  Machine(std::string behaviour, std::vector<std::string> ports)
      : behaviour_{std::move(behaviour)}, ports_(std::move(ports)) {}

  // The answer to a word; empty: none.
  std::string obey(const std::string& line) {
    if (line == "boot") return boot();
    if (line == "power-button" && !behaviour_.has("no-power-button")) std::exit(0);
    if (line == "shutdown" && !behaviour_.has("no-shutdown")) std::exit(0);
    if (line.starts_with("add-net ") && behaviour_.has("end-at-add-net")) std::exit(9);
    if (line.starts_with("add-net ")) attach(line.substr(8));
    if (line.starts_with("remove ") && guests_.size() > ports_.size()) guests_.pop_back();
    return "ok";
  }

  void answer_arp() {
    const std::string address = behaviour_.value("address");
    for (const auto& guest : guests_) {
      while (const auto frame = guest->receive_within(std::chrono::milliseconds(0))) {
        if (!address.empty()) answer(*guest, frame->bytes, inet_addr(address.c_str()));
      }
    }
  }

 private:
  std::string boot() {
    if (behaviour_.has("refuse-boot")) return "this machine does not boot";
    if (behaviour_.has("hang-boot")) return "";
    if (!behaviour_.has("no-net")) {
      for (const std::string& port : ports_) attach(port);
    }
    std::printf("fake machine is up\r\n");
    std::fflush(stdout);
    const std::string end = behaviour_.value("end");
    if (!end.empty()) {
      std::fprintf(stderr, "fake: ends as told\n");
      std::exit(std::atoi(end.c_str()));
    }
    return "ok";
  }

  void attach(const std::string& port) {
    frontend::GuestOptions options;
    options.socket = port;
    options.memory.regions = {4u << 20};
    guests_.push_back(std::make_unique<frontend::Guest>(options));
    guests_.back()->start();
  }

  // RFC 826: hardware addresses are behind the operation, the target's at 32, its address at 38.
  static void answer(frontend::Guest& guest, std::vector<uint8_t> frame, in_addr_t address) {
    constexpr uint8_t kOwn[] = {2, 0, 0, 0xaa, 0xbb, 0xcc};
    if (frame.size() < 42 || frame[12] != 8 || frame[13] != 6 || frame[21] != 1) return;
    if (std::memcmp(&frame[38], &address, 4) != 0) return;
    std::memcpy(&frame[0], &frame[22], 6);
    std::memcpy(&frame[32], &frame[22], 10);
    std::memcpy(&frame[6], kOwn, 6);
    std::memcpy(&frame[22], kOwn, 6);
    std::memcpy(&frame[28], &address, 4);
    frame[21] = 2;
    guest.send(frame);
  }

  Behaviour behaviour_;
  std::vector<std::string> ports_;
  std::vector<std::unique_ptr<frontend::Guest>> guests_;
};

int listen_on(const char* path) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 8) != 0) {
    std::perror(path);
    std::exit(1);
  }
  return listener;
}

void serve(int listener, Machine& machine) {
  const int client = accept(listener, nullptr, nullptr);
  char text[512];
  const ssize_t length = read(client, text, sizeof text);
  if (length > 0) {
    std::string answer = machine.obey(std::string(text, static_cast<size_t>(length) - 1));
    // A client without an answer stays connected for ever.
    if (answer.empty()) return;
    answer += "\n";
    [[maybe_unused]] const ssize_t written = write(client, answer.data(), answer.size());
  }
  close(client);
}

bool echo() {
  char text[512];
  const ssize_t length = read(0, text, sizeof text);
  if (length <= 0) return false;
  std::printf("echo: %.*s\r\n", static_cast<int>(length), text);
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc < 3) return 2;
  Machine machine(argv[2], std::vector<std::string>(argv + 3, argv + argc));
  const int listener = listen_on(argv[1]);
  std::fprintf(stderr, "fake: started\n");
  constexpr int kTurn = 20;  // ms
  while (true) {
    pollfd waits[] = {{listener, POLLIN, 0}, {0, POLLIN, 0}};
    poll(waits, 2, kTurn);
    try {
      if (waits[0].revents != 0) serve(listener, machine);
      if (waits[1].revents != 0 && !echo()) return 0;
      machine.answer_arp();
    } catch (const std::exception& error) {
      // The switch is away: a driver would wait for it.
      std::fprintf(stderr, "fake: %s\n", error.what());
    }
  }
}
