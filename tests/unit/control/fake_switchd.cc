// The control plane on a fake switch, as a program: fake_switchd DIRECTORY serves
// DIRECTORY/control.sock until its standard input ends, with one port that has a guest and an
// address. For tests that speak to the socket from outside.
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <iostream>

#include "control/logging.h"
#include "control/service.h"
#include "fake_switch.h"

namespace {

int serve(const std::filesystem::path& directory) {
  control::Configuration configuration;
  configuration.control_socket = directory / "control.sock";
  configuration.socket_dir = directory;
  configuration.state_file = directory / "ports.json";
  configuration.ports.emplace_back();
  configuration.ports[0].settings.name = "fixed";
  configuration.ports[0].settings.socket = directory / "fixed.sock";

  boost::asio::io_context loop(1);
  control::StateFile state(configuration.state_file);
  control::testing::FakeSwitch net;
  control::Service service(loop, configuration, state, net);
  service.start();
  net.attach("fixed");
  net.learn(*bridge::MacAddress::parse("52:54:00:00:00:99"), "fixed");

  boost::asio::posix::stream_descriptor input(loop, dup(STDIN_FILENO));
  std::array<char, 1> byte{};
  input.async_read_some(boost::asio::buffer(byte),
                        [&](const boost::system::error_code&, size_t) { loop.stop(); });
  std::cout << "ready" << std::endl;
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc != 2) {
    std::cerr << "usage: fake_switchd DIRECTORY\n";
    return 2;
  }
  control::start_log("warning");
  return serve(argv[1]);
}
