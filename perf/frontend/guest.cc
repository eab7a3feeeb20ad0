#include "frontend/guest.h"

#include <thread>

#include "frontend/error.h"

namespace frontend {

Guest::Guest(GuestOptions options)
    : options_(std::move(options)),
      memory_(options_.memory),
      rings_in_use_(2u * options_.pairs),
      transmit_(options_.pairs),
      receive_(options_.pairs) {
  if (options_.packed) options_.required_features |= feature::kPackedRing;
  for (uint16_t pair = 0; pair < options_.pairs; ++pair) {
    rings_.emplace_back(memory_, options_.receive_size, options_.packed);
    rings_.emplace_back(memory_, options_.transmit_size, options_.packed);
  }
}

void Guest::start() {
  if (!connection_) connect();
  if (options_.order == MessageOrder::qemu) {
    // QEMU 7.2 makes call and error descriptors known, and enables, before it sets the features.
    if (offered_ == 0) negotiate_as_qemu();
    connection_->set_features(features_);
  } else {
    if (offered_ == 0) negotiate_as_cloud_hypervisor();
    connection_->set_features(features_);
  }
  share_memory();
  for (uint32_t i = 0; i < rings_in_use_; ++i) set_up_ring(i);
  enable_rings();
  kick_rings();
}

void Guest::await_served() {
  connection_->set_owner();
  connection_->get_features();
}

void Guest::connect() {
  if (options_.listen && !listener_) listener_.emplace(options_.socket);
  connection_ = listener_ ? listener_->accept(options_.timeout)
                          : Connection::connect(options_.socket, options_.timeout, options_.retry);
  offered_ = 0;
}

void Guest::negotiate() {
  if (options_.order == MessageOrder::qemu) {
    negotiate_as_qemu();
  } else {
    negotiate_as_cloud_hypervisor();
  }
  connection_->set_features(features_);
}

void Guest::negotiate_as_qemu() {
  acknowledge(connection_->get_features());
  negotiate_protocol();
  connection_->set_owner();
  acknowledge(connection_->get_features());
  for (uint32_t i = 0; i < rings_in_use_; ++i) {
    connection_->set_vring_call(i, rings_[i].call_descriptor());
    connection_->set_vring_err(i, rings_[i].error_descriptor());
  }
  enable_rings();
}

void Guest::negotiate_as_cloud_hypervisor() {
  connection_->set_owner();
  acknowledge(connection_->get_features());
  negotiate_protocol();
}

void Guest::negotiate_protocol() {
  if ((features_ & feature::kProtocolFeatures) == 0) return;
  uint64_t wanted =
      protocol_feature::kMultiqueue | protocol_feature::kLogShmfd | protocol_feature::kRarp;
  if (options_.reply_ack) wanted |= protocol_feature::kReplyAck;
  const uint64_t agreed = connection_->get_protocol_features() & wanted;
  connection_->set_protocol_features(agreed);
  connection_->acknowledged((agreed & protocol_feature::kReplyAck) != 0);
  if ((agreed & protocol_feature::kMultiqueue) == 0) return;
  queue_num_ = connection_->get_queue_num();
  if (queue_num_ < rings_.size() / 2) {
    throw Error(options_.socket + ": the back-end has only " + std::to_string(queue_num_) +
                " queues");
  }
}

void Guest::acknowledge(uint64_t offered) {
  offered_ = offered;
  const uint64_t missing = options_.required_features & ~offered;
  if (missing != 0) {
    throw Error(options_.socket + ": the back-end lacks feature bits " + std::to_string(missing));
  }
  features_ = offered & (options_.features | options_.required_features);
  for (Ring& ring : rings_) {
    ring.event_index((features_ & feature::kEventIndex) != 0);
    ring.in_order((features_ & feature::kInOrder) != 0);
    ring.want_interrupt(ring.interrupts_wanted());
  }
}

void Guest::share_memory() {
  connection_->set_mem_table(memory_.table(), memory_.descriptors());
}

void Guest::set_up_ring(uint32_t index) {
  Ring& ring = rings_.at(index);
  const bool qemu = options_.order == MessageOrder::qemu;
  connection_->set_vring_num(index, ring.size());
  if (!qemu) connection_->set_vring_address(ring.address(index));
  const uint16_t base =
      options_.base == RingBase::available_index ? ring.base_of_available() : ring.base_of_used();
  connection_->set_vring_base(index, base);
  if (qemu) connection_->set_vring_address(ring.address(index));
  if (qemu) connection_->set_vring_kick(index, ring.kick_descriptor());
  connection_->set_vring_call(index, ring.call_descriptor());
  if (!qemu) connection_->set_vring_kick(index, ring.kick_descriptor());
}

void Guest::enable_rings(bool enable) {
  if ((features_ & feature::kProtocolFeatures) == 0) return;
  for (uint32_t i = 0; i < rings_in_use_; ++i) connection_->set_vring_enable(i, enable);
}

void Guest::kick_rings() {
  for (uint32_t i = 0; i < rings_in_use_; ++i) rings_[i].kick();
}

std::vector<uint32_t> Guest::stop() {
  enable_rings(false);
  std::vector<uint32_t> bases;
  for (uint32_t i = 0; i < rings_in_use_; ++i) bases.push_back(connection_->get_vring_base(i));
  return bases;
}

void Guest::next_driver(uint64_t features) {
  options_.features = features;
  reset_rings();
  acknowledge(offered_);
}

void Guest::disconnect(bool reset) {
  connection_.reset();
  offered_ = 0;
  if (reset) reset_rings();
}

void Guest::reset_rings() {
  for (Ring& ring : rings_) ring.reset();
  for (auto& queue : transmit_) queue.reset();
  for (auto& queue : receive_) queue.reset();
}

void Guest::start_logging(const DirtyLog& log) {
  connection_->set_log_base(log.bytes(), log.descriptor());
  set_logging(true);
}

void Guest::stop_logging() {
  set_logging(false);
}

void Guest::set_logging(bool on) {
  features_ = on ? features_ | feature::kLogAll : features_ & ~feature::kLogAll;
  connection_->set_features(features_);
  for (uint32_t i = 0; i < rings_in_use_; ++i) {
    VringAddress address = rings_[i].address(i);
    if (on) address.flags = kLogsUsedRing;
    connection_->set_vring_address(address);
  }
}

uint32_t Guest::header_size() const {
  const bool long_one = (features_ & (feature::kVersion1 | feature::kMergeable)) != 0;
  return long_one ? kLongHeader : kShortHeader;
}

bool Guest::send(std::span<const uint8_t> frame, const ChainShape& shape) {
  transmit().reclaim();
  const bool sent = transmit().send(frame, shape);
  transmit().publish();
  return sent;
}

std::optional<ReceivedFrame> Guest::receive_within(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (auto frame = receive().receive()) {
      receive().fill();
      return frame;
    }
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    std::this_thread::yield();
  }
}

TransmitQueue& Guest::transmit(uint16_t pair) {
  auto& queue = transmit_.at(pair);
  if (!queue) {
    TransmitOptions options;
    options.header_size = header_size();
    options.max_frame = options_.max_frame;
    queue = std::make_unique<TransmitQueue>(transmit_ring(pair), memory_, options);
  }
  return *queue;
}

ReceiveQueue& Guest::receive(uint16_t pair) {
  auto& queue = receive_.at(pair);
  if (!queue) {
    ReceiveOptions options;
    options.header_size = header_size();
    options.mergeable = mergeable();
    options.links = options_.receive_buffers;
    options.indirect = options_.receive_indirect;
    queue = std::make_unique<ReceiveQueue>(receive_ring(pair), memory_, options);
    queue->fill();
  }
  return *queue;
}

}  // namespace frontend
