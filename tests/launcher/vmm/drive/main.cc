// Runs one VM through its driver, as the launcher's runtime does, at the word of a test.
//
//   vmm_drive KIND SPEC.json CONSOLE LOG [USER]
//
// Standard input has one command a line, as JSON: {"do": "boot"}, "power_button", "shutdown",
// "reboot", {"do": "add_net", "net": {...}}, {"do": "add_device", "address": ...}, {"do": "remove",
// "id": ...}, {"do": "type", "text": ...}. Standard output has one JSON object a line: {"done":
// COMMAND, "result": ...} or {"failed": COMMAND, "error": ...}, {"event": KIND, "detail": ...} and
// {"ended": STATUS}. The end of its input is the end of everything.
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fstream>
#include <iostream>

#include "drive/spec_json.h"
#include "drive/vmm_process.h"
#include "vmm/json_stream.h"
#include "vmm/vmm.h"

namespace launcher {

namespace asio = boost::asio;
using nlohmann::json;

namespace {

void say(const json& line) {
  std::cout << line.dump() << std::endl;
}

const char* name_of(VmmEvent::Kind kind) {
  static const char* const names[] = {"booted",   "rebooting",      "shut_down",
                                      "panicked", "device_removed", "other"};
  return names[static_cast<int>(kind)];
}

class Drive {
 public:
  Drive(asio::io_context& loop, const VmmDriver& driver, const VmSpec& spec,
        const VmmProcess::Options& options)
      : loop_(loop), input_(loop, ::dup(STDIN_FILENO)), vmm_(driver.make(loop, spec)) {
    vmm_->on_event([](const VmmEvent& event) {
      say({{"event", name_of(event.kind)}, {"detail", event.detail}});
    });
    asio::co_spawn(loop, start(options), [](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
    });
  }

 private:
  Vmm::Task<void> start(VmmProcess::Options options) {
    co_await vmm_->prepare();
    process_ = std::make_unique<VmmProcess>(loop_, vmm_->command(), options, [this](int status) {
      vmm_->process_ended();
      say({{"ended", status}});
    });
    read();
  }

  void read() {
    input_.async_read_some(asio::buffer(buffer_), [this](auto error, size_t count) {
      if (error) return loop_.stop();
      for (const json& line : lines_.feed({buffer_, count})) {
        asio::co_spawn(loop_, obey(line), asio::detached);
      }
      read();
    });
  }

  Vmm::Task<void> obey(json line) {
    const std::string command = line.at("do");
    try {
      const std::string result = co_await carry_out(command, line);
      say({{"done", command}, {"result", result}});
    } catch (const std::exception& error) {
      say({{"failed", command}, {"error", error.what()}});
    }
  }

  Vmm::Task<std::string> carry_out(std::string command, json line) {
    if (command == "boot") co_await vmm_->boot();
    if (command == "power_button") co_await vmm_->power_button();
    if (command == "shutdown") co_await vmm_->shutdown();
    if (command == "reboot") co_await vmm_->reboot();
    if (command == "type") process_->type(line.at("text"));
    if (command == "add_net") {
      const VmNet net = net_from(line.at("net"));
      co_await vmm_->add_net(net);
    }
    if (command == "remove") {
      const std::string id = line.at("id");
      co_await vmm_->remove(id);
    }
    if (command == "add_device") {
      const std::string address = line.at("address");
      co_return co_await vmm_->add_device(address);
    }
    co_return "";
  }

  asio::io_context& loop_;
  asio::posix::stream_descriptor input_;
  std::unique_ptr<Vmm> vmm_;
  std::unique_ptr<VmmProcess> process_;
  JsonStream lines_{"\n", 65536};
  char buffer_[4096];
};

int run(int argc, char** argv) {
  if (argc < 5) throw std::runtime_error("usage: vmm_drive KIND SPEC.json CONSOLE LOG [USER]");
  std::ifstream file(argv[2]);
  const VmSpec spec = spec_from(json::parse(file));
  VmmProcess::Options options{argv[3], argv[4], 0};
  if (argc > 5) options.user = static_cast<uid_t>(std::stoul(argv[5]));
  asio::io_context loop;
  const Drive drive(loop, find_vmm(argv[1]), spec, options);
  loop.run();
  return 0;
}

}  // namespace

}  // namespace launcher

int main(int argc, char** argv) {
  try {
    return launcher::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "vmm_drive: " << error.what() << '\n';
    return 1;
  }
}
