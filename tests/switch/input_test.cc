// What an operator can get wrong: a clear error each, and the running switch is untouched.
#include <sys/socket.h>
#include <sys/un.h>

#include <fstream>

#include "lib/background_traffic.h"
#include "lib/net.h"

namespace testbed {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

class Input : public testing::Test {
 protected:
  Input() {
    net_.crowd.announce();
    traffic_.emplace(net_.crowd);
  }
  ~Input() override {
    traffic_->await_progress();
    traffic_->stop();
    const Books books = expect_whole(net_);
    EXPECT_EQ(books.dropped("p0", "egress") + books.dropped("p1", "egress"), 0u);
    EXPECT_EQ(net_.process.call("status").at("ports"), 2);
  }

  frontend::FileDescriptor listener(const std::string& path) {
    frontend::FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_of(path);
    EXPECT_EQ(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(socket.get(), 1), 0);
    return socket;
  }
  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return address;
  }

  Net net_{2};
  std::optional<BackgroundTraffic> traffic_;
};

TEST_F(Input, ASecondSwitchWithABadConfiguration) {
  const auto file = net_.process.directory() / "bad.toml";
  std::ofstream(file) << "[switch]\nidle_us = 'soon'\n";
  EXPECT_THAT(
      [&] {
        SwitchProcess({"--config", file.string()});
      },
      ThrowsMessage<TestbedError>(
          AllOf(HasSubstr("status 2"), HasSubstr("bad.toml:2"), HasSubstr("idle_us"))));
}

TEST_F(Input, ASecondSwitchOnThePortsOfTheFirst) {
  EXPECT_THAT(
      [&] {
        SwitchProcess({"--port", "a=" + net_.process.socket("p0")});
      },
      ThrowsMessage<TestbedError>(AllOf(HasSubstr("status 1"), HasSubstr("p0.sock"))));
}

TEST_F(Input, APortNameTwice) {
  EXPECT_THAT(
      [&] {
        net_.process.call("port.add", {{"name", "p0"}});
      },
      ThrowsMessage<client::RpcError>(AllOf(HasSubstr("p0"), HasSubstr("exists"))));
  EXPECT_THAT(
      [&] {
        SwitchProcess({"--port", "a", "--port", "a"});
      },
      ThrowsMessage<TestbedError>(AllOf(HasSubstr("status 2"), HasSubstr("--port a"))));
}

TEST_F(Input, ASocketInUse) {
  const std::string path = net_.process.socket("taken");
  const frontend::FileDescriptor holder = listener(path);
  const auto add = [&] { net_.process.call("port.add", {{"name", "new"}, {"socket", path}}); };
  EXPECT_THAT(add, ThrowsMessage<client::RpcError>(AllOf(HasSubstr("port new: socket " + path),
                                                         Not(HasSubstr("port new: port")))));
  frontend::Connection::connect(path);  // its holder still has it
}

TEST_F(Input, AControlMessageThatIsNotJson) {
  frontend::FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(net_.process.control_socket());
  ASSERT_EQ(connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const std::string line = "Guten Tag\n";
  ASSERT_EQ(send(socket.get(), line.data(), line.size(), 0), static_cast<ssize_t>(line.size()));
  std::string answer(4096, '\0');
  answer.resize(static_cast<std::size_t>(
      std::max<ssize_t>(recv(socket.get(), answer.data(), answer.size(), 0), 0)));
  EXPECT_THAT(answer, HasSubstr("-32700"));
}

}  // namespace
}  // namespace testbed
