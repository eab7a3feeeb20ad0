#include "fake_driver.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace launcher {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

class FakeVmm : public Vmm {
 public:
  FakeVmm(asio::io_context& loop, const VmSpec& spec) : loop_(loop), spec_(spec) {}

  std::vector<std::string> command() const override {
    std::vector<std::string> words = {spec_.program, socket(), spec_.command_line};
    for (const VmNet& net : spec_.nets) words.push_back(net.socket);
    return words;
  }
  // Told to panic, its guest reboots then, as one with panic=1 does.
  Task<void> boot() override {
    co_await say("boot");
    if (spec_.command_line != "panic") co_return;
    report({VmmEvent::Kind::panicked, "(fake)"});
    report({VmmEvent::Kind::rebooting, ""});
  }
  Task<void> power_button() override { return say("power-button"); }
  Task<void> shutdown() override { return say("shutdown"); }
  Task<void> reboot() override { return say("reboot"); }
  // Told to be late, its guest lets go of a device only when the next one comes.
  Task<void> add_net(const VmNet& net) override {
    co_await say("add-net " + net.socket.string());
    if (!kept_.empty()) report({VmmEvent::Kind::device_removed, kept_});
  }
  Task<std::string> add_device(const std::string& address) override {
    co_await say("add-device " + address);
    co_return "device0";
  }
  Task<void> remove(const std::string& id) override {
    if (spec_.command_line == "late") {
      kept_ = id;
      throw VmmError(spec_.name + ": the guest has not let go of " + id);
    }
    co_await say("remove " + id);
  }
  Task<void> forget(const std::string& id) override { return say("forget " + id); }
  void process_ended() override { ended_ = true; }

 private:
  std::string socket() const { return (spec_.directory / "fake.sock").string(); }

  // Its socket is there some time after the process began.
  Task<void> connect(stream_protocol::socket& socket_of) {
    while (true) {
      error_code error;
      auto token = asio::redirect_error(asio::use_awaitable, error);
      const stream_protocol::endpoint endpoint(socket());
      co_await socket_of.async_connect(endpoint, token);
      if (!error) co_return;
      if (ended_) throw VmmError(spec_.name + ": " + error.message());
      socket_of.close();
      asio::steady_timer pause(loop_, std::chrono::milliseconds(5));
      co_await pause.async_wait(asio::use_awaitable);
    }
  }

  Task<void> say(std::string word) {
    stream_protocol::socket socket_of(loop_);
    co_await connect(socket_of);
    word += "\n";
    const auto buffer = asio::buffer(word);
    co_await asio::async_write(socket_of, buffer, asio::use_awaitable);
    std::string answer;
    auto input = asio::dynamic_buffer(answer);
    co_await asio::async_read_until(socket_of, input, '\n', asio::use_awaitable);
    if (answer != "ok\n") throw VmmError(spec_.name + ": " + answer);
  }

  asio::io_context& loop_;
  VmSpec spec_;
  std::string kept_;
  bool ended_ = false;
};

std::unique_ptr<Vmm> make(asio::io_context& loop, const VmSpec& spec) {
  return std::make_unique<FakeVmm>(loop, spec);
}

}  // namespace

const VmmDriver& fake_driver(VmmKind kind) {
  static const VmmDriver drivers[] = {
      {VmmKind::cloud_hypervisor, "fake", "fake_vmm", make},
      {VmmKind::qemu, "fake", "fake_vmm", make},
  };
  return drivers[static_cast<size_t>(kind)];
}

}  // namespace launcher
