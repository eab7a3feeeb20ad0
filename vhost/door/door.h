// The door of one port: the only thing a VMM ever speaks to.
//
// Theory of operation. rte_vhost reads every socket on one thread with blocking reads and owns its
// listening sockets without mode, peer check or take-over of a stale path. So the door listens on
// the port's public socket (listener.h), or connects to the VMM that listens there (connector.h),
// admits one VMM at a time, collects each vhost-user message whole,
// checks it against its own state of the connection, and only then passes it on to rte_vhost over
// a private connection. Lock-step: one message in flight a VMM; the next is read only when the
// answer to the last was taken. A VMM that is slow, silent or lying costs its own connection.
//
//   VMM --public socket--> [Door: Session + ProtocolState] --private socket--> rte_vhost
//
// Admission: at most `kAdmissionsPerSecond` a second; one VMM is served, a second waits its turn
// for `kTurnTimeout` at the most (a rebooting VMM overlaps itself), a third is closed at once.
// The next VMM is served only after rte_vhost has released the last one's connection
// (backend_released()), because it cannot tell two connections on one path apart.
//
// Threads: everything here runs on the thread of the io_context, except expects_connection(),
// which rte_vhost's thread calls. Errors: the constructor throws SocketError.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vhost/door/limits.h"
#include "vhost/door/message_record.h"
#include "vhost/door/socket_file.h"
#include "vhost/door/waiting_place.h"
#include "vhost/socket_access.h"

namespace vhost::door {

struct DoorSettings {
  std::filesystem::path public_socket;   // where VMMs connect, or the VMM listens (access)
  std::filesystem::path private_socket;  // where rte_vhost listens; must exist before a VMM comes
  SocketAccess access;
  uint64_t features = 0;           // virtio and vhost-user feature bits offered, pinned for life
  uint64_t protocol_features = 0;  // vhost-user protocol feature bits offered
  unsigned queue_pairs = 1;        // GET_QUEUE_NUM answers 2 x this
  uint16_t largest_mtu = 0;        // that a VMM may set (NET_SET_MTU), where that is offered
};

// What the owner of the door is told, on the io_context's thread. It may call the door from there,
// but not destroy it.
struct DoorObserver {
  std::function<void(const PeerCredentials&)> connected;  // a VMM is being served from now on
  // The VMM being served is gone, or was sent away: `reason` is for the operator; `fault` is true
  // when the VMM did something out of place (as against closing its socket).
  std::function<void(const std::string& reason, bool fault)> disconnected;
  std::function<void(const std::string& reason)> refused;  // a VMM was turned away at the door
  // There is no VMM to connect to (client mode); told again only for another reason.
  std::function<void(const std::string& reason)> unreachable;
  // SEND_RARP: the VM at this address is here from now on. First octet lowest, an individual one.
  std::function<void(uint64_t address)> announced;
};

class Door {
 public:
  Door(boost::asio::io_context& loop, DoorSettings settings, DoorObserver observer,
       const DoorLimits& limits = {});
  ~Door();  // closes and unlinks the public socket if it is the door's, drops the VMM
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // True once per connection that the door itself opened to the private socket. Any thread:
  // rte_vhost's new_connection callback asks, and refuses what the door did not open.
  bool expects_connection() noexcept;

  // rte_vhost has released the connection of the last VMM: the next may be served. To be called
  // from its destroy_connection, and when new_connection refuses what expects_connection() owned.
  void backend_released();

  // Sends the VMM being served away, for a reason found elsewhere (a ring or memory fault).
  void disconnect(const std::string& reason);

  // The last messages (64 at the most), oldest first.
  std::vector<MessageRecord> history() const;

  bool vmm_connected() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // handlers in flight hold it weakly
};

}  // namespace vhost::door
