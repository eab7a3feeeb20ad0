// A door with a VMM that is being served.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "door_fixture.h"

namespace vhost::door::test {

class RelayTest : public DoorTest {
 protected:
  void SetUp() override {
    open();
    vmm_ = served_vmm();
  }

  // A message that must be acknowledged with success.
  void must(Message message, int fd = -1) {
    message.header.flags |= kNeedReply;
    if (fd >= 0) message.fds.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    const std::string name = message_name(message.header.request);
    EXPECT_EQ(0u, ask(*vmm_, std::move(message)).payload_as<uint64_t>()) << name;
  }

  void set_memory() { must(one_region(), make_memfd(16 * kMiB).get()); }

  std::unique_ptr<Vmm> vmm_;
};

}  // namespace vhost::door::test
