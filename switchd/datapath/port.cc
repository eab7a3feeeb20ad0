#include "datapath/port.h"

namespace datapath {
namespace {

std::string peer_text(const vhost::door::PeerCredentials& peer) {
  return "pid " + std::to_string(peer.pid) + ", uid " + std::to_string(peer.uid);
}

}  // namespace

Port::Port(boost::asio::io_context& loop, vhost::Poller& poller, uint16_t index,
           const PortSettings& settings, const std::filesystem::path& private_socket, Report report,
           Announce announce)
    : index_(index),
      settings_(settings),
      report_(std::move(report)),
      announce_(std::move(announce)) {
  vhost::EndpointSettings endpoint;
  endpoint.name = settings.name;
  endpoint.socket = settings.socket;
  endpoint.access = settings.access;
  endpoint.private_socket = private_socket;
  endpoint.port = index;
  endpoint.mtu = settings.mtu;
  endpoint.queue_pairs = settings.queues;
  endpoint.packed = settings.packed;
  endpoint_ = std::make_unique<vhost::Endpoint>(loop, poller, std::move(endpoint), observer());
}

vhost::EndpointObserver Port::observer() {
  vhost::EndpointObserver observer;
  observer.door.connected = [this](const vhost::door::PeerCredentials& peer) {
    vmm_ = peer;
    state_ = PortState::connected;
    reason_.clear();
    report_(Event::Kind::vmm_connected, peer_text(peer));
  };
  observer.door.disconnected = [this](const std::string& reason, bool faulty) {
    vmm_.reset();
    const bool known = state_ == PortState::faulted;
    state_ = faulty || known ? PortState::faulted : vacant();
    if (!known) reason_ = reason;
    report_(Event::Kind::vmm_disconnected, reason);
  };
  observer.door.refused = [this](const std::string& reason) {
    report_(Event::Kind::vmm_refused, reason);
  };
  observer.door.unreachable = [this](const std::string& reason) {
    if (state_ == PortState::connecting) reason_ = reason;
  };
  observer.door.announced = [this](uint64_t address) {
    announce_(bridge::MacAddress::from_wire_bits(address));
  };
  observer.attached = [this](uint64_t features) {
    features_ = features;
    state_ = PortState::attached;
    reason_.clear();
    report_(Event::Kind::guest_attached, {});
  };
  observer.detached = [this] {
    features_ = 0;
    if (state_ == PortState::attached) {
      state_ = vmm_ ? PortState::connected : vacant();
    }
    report_(Event::Kind::guest_detached, {});
  };
  observer.faulted = [this](const std::string& reason) { fault(reason); };
  return observer;
}

// The state of a port that has no VMM.
PortState Port::vacant() const {
  const bool client = settings_.access.connection == vhost::ConnectionMode::client;
  return client ? PortState::connecting : PortState::listening;
}

void Port::fault(const std::string& reason) {
  if (state_ == PortState::faulted && reason_ == reason) return;
  state_ = PortState::faulted;
  reason_ = reason;
  report_(Event::Kind::port_faulted, reason);
}

void Port::check() {
  if (endpoint_->torn()) return expel("the VMM truncated the memory it shares");
  if (state_ != PortState::attached) return;
  check("transmit ring ", endpoint_->transmit());
  check("receive ring ", endpoint_->receive());
}

template <typename Ring>
void Port::check(const char* kind, std::span<const Ring> rings) {
  for (size_t pair = 0; pair < rings.size(); ++pair) {
    const vhost::RingFault found = rings[pair].fault();
    if (found == vhost::RingFault::none) continue;
    fault(kind + std::to_string(pair) + " stopped: " + vhost::describe(found));
  }
}

unsigned Port::running_queues() const {
  const auto transmit = endpoint_->transmit();
  const auto receive = endpoint_->receive();
  unsigned running = 0;
  for (size_t pair = 0; pair < transmit.size(); ++pair) {
    if (transmit[pair].running() && receive[pair].running()) ++running;
  }
  return running;
}

void Port::expel(const std::string& reason) {
  if (!vmm_) return;
  fault(reason);
  endpoint_->disconnect(reason);
}

PortInfo Port::info() const {
  PortInfo info;
  info.settings = settings_;
  info.state = state_;
  info.reason = reason_;
  info.features = features_;
  info.running_queues = running_queues();
  if (vmm_) {
    info.vmm_pid = vmm_->pid;
    info.vmm_uid = vmm_->uid;
  }
  return info;
}

}  // namespace datapath
