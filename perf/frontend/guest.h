// One guest with its VMM: a connection, memory and the rings of a virtio-net device.
//
// start() does everything a VMM does between its connect() and the first frame, in the order in
// which QEMU or cloud-hypervisor sends it, and then kicks every ring once, unconditionally: the
// specification starts a ring at its first kick, and the device may have asked for none by then.
// The single steps are public for tests of half a handshake. Ring 2q receives, 2q + 1 transmits.
//
// On top of each ring stands one queue (transmit(), receive(): any shape, checked, for tests) or
// one stream (fast); transmit() and receive() make theirs when first called, and fill the receive
// ring. Threads: one. Errors: frontend::Error, naming the socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frontend/connection.h"
#include "frontend/dirty_log.h"
#include "frontend/guest_memory.h"
#include "frontend/protocol.h"
#include "frontend/receive_queue.h"
#include "frontend/ring.h"
#include "frontend/transmit_queue.h"

namespace frontend {

enum class MessageOrder { cloud_hypervisor, qemu };

// What SET_VRING_BASE says of a ring in use, after the back-end was restarted: QEMU reads the used
// index, cloud-hypervisor sends the available one.
enum class RingBase { used_index, available_index };

struct GuestOptions {
  std::string socket;
  bool listen = false;  // the back-end connects to us, on a socket that stays from then on
  MessageOrder order = MessageOrder::cloud_hypervisor;
  std::chrono::milliseconds timeout = Connection::kDefaultTimeout;
  std::chrono::milliseconds retry = Connection::kDefaultRetry;  // while nobody listens
  // Acknowledged where offered; start() fails when a required one is not.
  uint64_t features = feature::kVersion1 | feature::kMergeable | feature::kIndirect |
                      feature::kEventIndex | feature::kAnyLayout | feature::kProtocolFeatures;
  uint64_t required_features = 0;
  bool reply_ack = true;
  RingBase base = RingBase::used_index;
  bool packed = false;  // the rings are, and the back-end must offer it
  uint16_t pairs = 1;
  uint16_t transmit_size = 256;
  uint16_t receive_size = 256;
  MemoryOptions memory;
  uint32_t max_frame = 2048;                       // that transmit() can send
  std::vector<uint32_t> receive_buffers = {2048};  // links of each of receive()'s buffers
  bool receive_indirect = false;
};

class Guest {
 public:
  explicit Guest(GuestOptions options);

  // Connects and brings every ring up. Rings continue where they stood.
  void start();
  // Until all that was said so far has taken effect, the rings are served, or stand. A back-end may
  // acknowledge a message before it acts on it, and answer some without its library: one that the
  // library acknowledges and an answer behind it come after all that were sent before.
  void await_served();
  // The driver resets its device: every ring is disabled and stopped; where each stood. The
  // connection stays, start() brings the rings up on it again.
  std::vector<uint32_t> stop();
  // Another driver takes the device on the same connection (the firmware's and then the system's, a
  // kernel started by kexec): the rings begin from nothing, with what it acknowledges. REQUIRES:
  // stop() before; start() follows.
  void next_driver(uint64_t features);
  // A driver that uses fewer pairs of queues than the device has: only those are set up. REQUIRES:
  // the rings do not run.
  void use_pairs(uint16_t pairs) { rings_in_use_ = 2u * pairs; }
  // The VMM is gone. After that start() connects anew: with rings as they stand (the back-end was
  // restarted under a running guest), or from nothing when reset is set (the guest rebooted).
  void disconnect(bool reset = false);

  // Every write of the back-end is logged from now on, or no longer: a migration starts or is
  // over. As QEMU does it, while the rings run.
  void start_logging(const DirtyLog& log);
  void stop_logging();

  // The steps of start().
  void connect();
  void negotiate();
  void share_memory();
  void set_up_ring(uint32_t index);
  void enable_rings(bool enable = true);
  void kick_rings();

  // For tests, one frame at a time. send() publishes; false: the ring is full.
  bool send(std::span<const uint8_t> frame, const ChainShape& shape = {});
  // The next frame on pair 0, reposting buffers; waits (polling) until the timeout.
  std::optional<ReceivedFrame> receive_within(std::chrono::milliseconds timeout);
  TransmitQueue& transmit(uint16_t pair = 0);
  ReceiveQueue& receive(uint16_t pair = 0);

  Connection& connection() { return *connection_; }
  bool connected() const { return connection_.has_value(); }
  GuestMemory& memory() { return memory_; }
  Ring& ring(uint32_t index) { return rings_.at(index); }
  Ring& receive_ring(uint16_t pair = 0) { return rings_.at(2u * pair); }
  Ring& transmit_ring(uint16_t pair = 0) { return rings_.at(2u * pair + 1u); }
  uint64_t offered() const { return offered_; }
  uint64_t features() const { return features_; }
  uint64_t queue_num() const { return queue_num_; }
  bool mergeable() const { return (features_ & feature::kMergeable) != 0; }
  uint32_t header_size() const;
  const GuestOptions& options() const { return options_; }

 private:
  void negotiate_protocol();
  void set_logging(bool on);
  void negotiate_as_qemu();
  void negotiate_as_cloud_hypervisor();
  void acknowledge(uint64_t offered);
  void reset_rings();

  GuestOptions options_;
  GuestMemory memory_;
  std::vector<Ring> rings_;
  uint32_t rings_in_use_;
  std::vector<std::unique_ptr<TransmitQueue>> transmit_;
  std::vector<std::unique_ptr<ReceiveQueue>> receive_;
  std::optional<Listener> listener_;
  std::optional<Connection> connection_;
  uint64_t offered_ = 0;
  uint64_t features_ = 0;
  uint64_t queue_num_ = 0;
};

}  // namespace frontend
