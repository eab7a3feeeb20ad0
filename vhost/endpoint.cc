#include "vhost/endpoint.h"

#include <boost/asio/post.hpp>

#include "vhost/backend.h"
#include "vhost/device.h"

namespace vhost {

class Endpoint::Impl {
 public:
  Impl(boost::asio::io_context& loop, Poller& poller, EndpointSettings settings,
       EndpointObserver observer)
      : loop_(loop),
        settings_(std::move(settings)),
        observer_(std::move(observer)),
        transmit_(settings_.queue_pairs),
        receive_(settings_.queue_pairs),
        device_(poller, settings_.port, transmit_, receive_, device_observer()) {
    for (TransmitRing& ring : transmit_) ring.limit_frames(FrameLimit(settings_.mtu));
    for (ReceiveRing& ring : receive_) ring.limit_frames(FrameLimit(settings_.mtu));
    backend::add({settings_.private_socket,
                  {offered_features(offer()), offered_protocol_features(offer())},
                  &device_,
                  [this] { return admits(); },
                  [this] { on_main([this] { door_->backend_released(); }); }});
    try {
      door_ = std::make_unique<door::Door>(loop_, door_settings(), observer_.door);
      open_door_.store(door_.get(), std::memory_order_release);
    } catch (...) {
      backend::remove(settings_.private_socket);
      throw;
    }
  }

  // The library first: it may be in a callback that uses the door. The door stays silent then.
  ~Impl() { backend::remove(settings_.private_socket); }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::unique_ptr<door::Door> door_;

  const Device& device() const { return device_; }
  std::span<const TransmitRing> transmit() const { return transmit_; }
  std::span<const ReceiveRing> receive() const { return receive_; }

 private:
  // From rte_vhost's thread to the main thread; forgotten when the endpoint has gone meanwhile.
  template <typename Action>
  void on_main(Action action) {
    boost::asio::post(loop_, [alive = std::weak_ptr<int>(alive_), action = std::move(action)] {
      if (alive.lock() != nullptr) action();
    });
  }

  // On rte_vhost's thread: the library listens before there is a door.
  bool admits() {
    door::Door* door = open_door_.load(std::memory_order_acquire);
    return door != nullptr && door->expects_connection();
  }

  Device::Observer device_observer() {
    return {
        [this](uint64_t features) { on_main([this, features] { observer_.attached(features); }); },
        [this] { on_main([this] { observer_.detached(); }); },
        [this](const std::string& reason) {
          on_main([this, reason] { observer_.faulted(reason); });
        }};
  }

  PortOffer offer() const {
    return {.mtu = settings_.mtu.has_value(),
            .multiqueue = settings_.queue_pairs > 1,
            .packed = settings_.packed};
  }

  door::DoorSettings door_settings() const {
    door::DoorSettings door;
    door.public_socket = settings_.socket;
    door.private_socket = settings_.private_socket;
    door.access = settings_.access;
    door.features = offered_features(offer());
    door.protocol_features = offered_protocol_features(offer());
    door.queue_pairs = settings_.queue_pairs;
    door.largest_mtu = settings_.mtu.value_or(0);
    return door;
  }

  boost::asio::io_context& loop_;
  EndpointSettings settings_;
  EndpointObserver observer_;
  std::atomic<door::Door*> open_door_{nullptr};
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::vector<TransmitRing> transmit_;
  std::vector<ReceiveRing> receive_;
  Device device_;
};

Endpoint::Endpoint(boost::asio::io_context& loop, Poller& poller, EndpointSettings settings,
                   EndpointObserver observer)
    : impl_(std::make_unique<Impl>(loop, poller, std::move(settings), std::move(observer))) {}

Endpoint::~Endpoint() = default;

std::span<const TransmitRing> Endpoint::transmit() const noexcept {
  return impl_->transmit();
}
std::span<const ReceiveRing> Endpoint::receive() const noexcept {
  return impl_->receive();
}
void Endpoint::disconnect(const std::string& reason) {
  impl_->door_->disconnect(reason);
}
bool Endpoint::torn() const noexcept {
  return impl_->device().torn();
}
std::vector<door::MessageRecord> Endpoint::history() const {
  return impl_->door_->history();
}

}  // namespace vhost
