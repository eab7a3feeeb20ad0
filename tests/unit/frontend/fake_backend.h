// A back-end that knows the messages and nothing else: it answers what wants an answer and keeps a
// record of what came. Its thread ends when the front-end hangs up.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "frontend/connection.h"
#include "frontend/file_descriptor.h"
#include "frontend/protocol.h"

namespace frontend {

struct Seen {
  Request request{};
  uint32_t flags = 0;
  std::vector<std::byte> payload;
  std::size_t descriptors = 0;
};

class FakeBackend {
 public:
  // Answers of GET messages by number, and the verdict on the others.
  struct Answers {
    uint64_t features = ~0ull & ~feature::kPackedRing;
    uint64_t protocol_features = protocol_feature::kMultiqueue | protocol_feature::kReplyAck;
    uint64_t queue_num = 2;
    uint32_t vring_base = 7;
    Request refused{};    // this one gets a failing acknowledgement
    Request silent{};     // this one gets none
    Request closes_at{};  // at this one the connection is closed
  };

  FakeBackend() : FakeBackend(Answers{}) {}
  explicit FakeBackend(Answers answers);
  ~FakeBackend();

  Connection connect(Connection::Duration timeout = Connection::Duration(10'000));
  // After the front-end has gone.
  std::vector<Seen> messages();

 private:
  void serve();
  void answer(const Seen& seen);

  Answers answers_;
  FileDescriptor ours_;
  FileDescriptor theirs_;
  std::vector<Seen> seen_;
  std::thread thread_;
};

}  // namespace frontend
