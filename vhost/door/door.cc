#include "vhost/door/door.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <optional>
#include <utility>

#include "vhost/door/connector.h"
#include "vhost/door/disposer.h"
#include "vhost/door/listener.h"
#include "vhost/door/rate.h"
#include "vhost/door/session.h"

namespace vhost::door {
namespace {

using boost::asio::posix::stream_descriptor;

// Reads and drops what is there; true at the end of the stream.
bool drained(int fd) {
  std::array<std::byte, 512> dropped;
  ssize_t got = 0;
  do {
    got = ::recv(fd, dropped.data(), dropped.size(), MSG_DONTWAIT);
  } while (got > 0 || (got < 0 && errno == EINTR));
  return got == 0 || errno != EAGAIN;
}

}  // namespace

class Door::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& loop, DoorSettings settings, DoorObserver observer,
       const DoorLimits& limits);

  void open() { entrance_->open(); }
  void close();
  bool expects_connection() noexcept { return expected_.exchange(false); }
  void backend_released();
  void disconnect(const std::string& reason);
  std::vector<MessageRecord> history() const { return history_.lines(); }
  bool vmm_connected() const noexcept { return session_ != nullptr; }

 private:
  std::shared_ptr<Entrance> make_entrance();
  bool admit(Visitor visitor);
  void turn_away(Visitor visitor, const std::string& why);
  void refuse(const PeerCredentials& peer, const std::string& why);
  bool stuck();
  void unreachable(const std::string& why, bool refused);
  bool serve(Visitor visitor);
  void serve_next();
  void on_ended(UniqueFd backend, const std::string& reason, bool fault);
  void await_backend_close();

  boost::asio::io_context& loop_;
  DoorSettings settings_;
  DoorObserver observer_;
  DoorLimits limits_;
  TokenBucket pace_;
  Disposer disposer_;
  std::shared_ptr<Entrance> entrance_;
  WaitingPlace waiting_;
  bool told_stuck_ = false;
  MessageHistory history_;
  std::shared_ptr<Session> session_;
  // The last private connection while rte_vhost still has its end; `releasing_` until it says so.
  stream_descriptor closing_;
  bool releasing_ = false;
  std::atomic<bool> expected_{false};
};

Door::Impl::Impl(boost::asio::io_context& loop, DoorSettings settings, DoorObserver observer,
                 const DoorLimits& limits)
    : loop_(loop),
      settings_(std::move(settings)),
      observer_(std::move(observer)),
      limits_(limits),
      pace_(limits_.message_burst +
                limits_.message_burst_per_ring * 2 * static_cast<int>(settings_.queue_pairs),
            limits_.messages_per_second),
      entrance_(make_entrance()),
      waiting_(loop, limits_.turn_timeout, disposer_),
      closing_(loop) {}

void Door::Impl::close() {
  observer_ = {};
  if (session_) session_->end("the port is closed", false);
  if (auto visitor = waiting_.take()) disposer_.hang_up(std::move(visitor->fd));
}

// --- Admission.

std::shared_ptr<Entrance> Door::Impl::make_entrance() {
  EntranceHost host{
      [this](Visitor visitor) { return admit(std::move(visitor)); },
      [this](Visitor visitor, const std::string& why) { turn_away(std::move(visitor), why); },
      [this] { return stuck(); },
      [this](const std::string& why, bool refused) { unreachable(why, refused); }};
  if (settings_.access.connection == ConnectionMode::client) {
    return std::make_shared<Connector>(loop_, settings_.public_socket, settings_.access, limits_,
                                       disposer_, std::move(host));
  }
  return std::make_shared<Listener>(loop_, settings_.public_socket, settings_.access, limits_,
                                    std::move(host));
}

// What earlier VMMs have left behind will not close (disposer.h): theirs is the port that waits.
bool Door::Impl::stuck() {
  const bool now = disposer_.outstanding() >= limits_.stuck_disposals;
  if (now && !told_stuck_) history_.add("stuck", "descriptors of an earlier VMM will not close");
  return told_stuck_ = now;
}

void Door::Impl::unreachable(const std::string& why, bool refused) {
  history_.add(refused ? "refused" : "unreachable", why);
  if (observer_.unreachable) observer_.unreachable(why);
  if (refused && observer_.refused) observer_.refused(why);
}

bool Door::Impl::admit(Visitor visitor) {
  if (!session_ && !releasing_) return serve(std::move(visitor));
  const bool waits = waiting_.offer(visitor, [weak = weak_from_this()] {
    const auto self = weak.lock();
    auto late = self ? self->waiting_.take() : std::nullopt;
    if (!late) return;
    self->turn_away(std::move(*late), "waited too long for its turn, another VMM is being served");
  });
  if (!waits) {
    turn_away(std::move(visitor), "one VMM is being served and another one waits already");
  }
  return waits;
}

void Door::Impl::turn_away(Visitor visitor, const std::string& why) {
  refuse(visitor.peer, why);
  disposer_.hang_up(std::move(visitor.fd));
}

void Door::Impl::refuse(const PeerCredentials& peer, const std::string& why) {
  const std::string reason = describe(peer) + " turned away: " + why;
  history_.add("refused", reason);
  if (observer_.refused) observer_.refused(reason);
}

bool Door::Impl::serve(Visitor visitor) {
  expected_ = true;  // rte_vhost may ask before connect() has returned
  try {
    UniqueFd backend = connect_unix(settings_.private_socket);
    session_ = std::make_shared<Session>(
        loop_, std::move(visitor.fd), std::move(backend),
        ProtocolOffer{settings_.features, settings_.protocol_features, settings_.queue_pairs,
                      settings_.largest_mtu},
        Session::Port{limits_, pace_, disposer_, history_, observer_.announced},
        [weak = weak_from_this()](UniqueFd fd, const std::string& reason, bool fault) {
          if (const auto self = weak.lock()) self->on_ended(std::move(fd), reason, fault);
        });
  } catch (const std::exception& error) {
    expected_ = false;
    turn_away(std::move(visitor),
              std::string("the vhost library cannot be reached: ") + error.what());
    return false;
  }
  history_.add("connected", describe(visitor.peer));
  session_->start();
  if (observer_.connected) observer_.connected(visitor.peer);
  return true;
}

void Door::Impl::serve_next() {
  auto visitor = waiting_.take();
  if (!visitor || !serve(std::move(*visitor))) entrance_->vacant();
}

// --- The end of a connection.

void Door::Impl::on_ended(UniqueFd backend, const std::string& reason, bool fault) {
  session_.reset();
  releasing_ = true;
  history_.add("disconnected", reason);
  boost::system::error_code error;
  closing_.assign(backend.get(), error);
  if (!error) {
    backend.release();
    await_backend_close();
  }
  if (observer_.disconnected) observer_.disconnected(reason, fault);
}

// rte_vhost says backend_released() for every connection that it told of. One that it closed
// without telling (no room for another device) is known by its end while still expected.
void Door::Impl::await_backend_close() {
  closing_.async_wait(stream_descriptor::wait_read, while_alive(weak_from_this(), [](Impl& self) {
                        if (!self.closing_.is_open()) return;
                        if (!drained(self.closing_.native_handle()))
                          return self.await_backend_close();
                        boost::system::error_code ignored;
                        self.closing_.close(ignored);
                        if (self.expected_.exchange(false)) self.backend_released();
                      }));
}

void Door::Impl::backend_released() {
  if (session_) session_->library_closed();
  boost::system::error_code ignored;
  closing_.close(ignored);
  releasing_ = false;
  serve_next();
}

void Door::Impl::disconnect(const std::string& reason) {
  if (session_) session_->end(reason, true);
}

// --- The door itself.

Door::Door(boost::asio::io_context& loop, DoorSettings settings, DoorObserver observer,
           const DoorLimits& limits)
    : impl_(std::make_shared<Impl>(loop, std::move(settings), std::move(observer), limits)) {
  impl_->open();
}

Door::~Door() {
  impl_->close();
}

bool Door::expects_connection() noexcept {
  return impl_->expects_connection();
}

void Door::backend_released() {
  impl_->backend_released();
}

void Door::disconnect(const std::string& reason) {
  impl_->disconnect(reason);
}

std::vector<MessageRecord> Door::history() const {
  return impl_->history();
}

bool Door::vmm_connected() const noexcept {
  return impl_->vmm_connected();
}

}  // namespace vhost::door
