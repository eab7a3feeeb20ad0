// All guests of a test, driven by one thread, and the book of what each sent to each.
//
// A station is one guest on one port. Every frame says who sent it, to whom, which one it is and
// how long it is (its sequence number is count << 16 | length), and is checked byte for byte on
// arrival: sender, receiver, addresses, order, length, payload, header, and that it took the fewest
// buffers it could. What is wrong becomes a line in problems().
//
// send() is patient: it keeps a frame back until its receivers have posted the buffers it needs, so
// that a switch has no reason to lose one. try_send() is not, and what it causes may be dropped.
//
// settle() waits until every chain came back and takes in what has arrived. A switch delivers
// before it gives back, so nothing is under way then. Threads: one. Errors: TestbedError and
// frontend::Error for a guest or switch that does not go on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "frontend/frame.h"
#include "frontend/guest.h"

namespace testbed {

// Frames a guest sends: of this many bytes at the most.
inline constexpr uint32_t kLargestFrame = 9014;

struct Station {
  explicit Station(const frontend::GuestOptions& options) : guest(options) {}

  frontend::Guest guest;
  uint16_t number = 0;
  std::string port;
  uint16_t macs = 1;
  // False: buffers stay unposted, and the test receives by itself.
  bool receives = true;
  uint64_t sequence = 0;     // frames sent so far
  uint32_t reserved = 0;     // buffers that frames under way will take
  uint64_t sent_frames = 0;  // published; what came back is guest.transmit().completed()
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
};

struct PairBook {
  uint64_t sent = 0;      // copies that ought to arrive
  uint64_t received = 0;  // copies that did
  uint64_t lost = 0;      // copies that the test knows not to have arrived
  uint64_t last = 0;      // count of the newest
};

class Crowd {
 public:
  // Connects; the station's number is its index.
  Station& add(const std::string& port, frontend::GuestOptions options);
  Station& at(std::size_t station) { return *stations_.at(station); }
  std::size_t size() const { return stations_.size(); }

  // Every station makes its addresses known by broadcasts.
  void announce();
  void send(uint16_t from, uint16_t to, uint32_t size, const frontend::ChainShape& shape = {});
  // Whether send() needs nothing of the switch first: both rings have room.
  bool can_send(uint16_t from, uint16_t to, uint32_t size);
  // To a group or unknown address; it ought to arrive at `receivers`.
  void flood(uint16_t from, uint64_t destination, uint32_t size,
             const std::vector<uint16_t>& receivers, const frontend::ChainShape& shape = {});
  std::vector<uint16_t> all_but(uint16_t station) const;
  // False: the transmit ring is full.
  bool try_send(uint16_t from, uint16_t to, uint32_t size, const frontend::ChainShape& shape = {});
  // Bytes as they are, which nobody ought to receive.
  void send_raw(uint16_t from, const std::vector<uint8_t>& bytes,
                const frontend::ChainShape& shape = {});

  // Takes in what has arrived and takes back what was sent; whether that was anything.
  bool turn();
  void settle();
  // Until every copy that ought to arrive did, and nothing more.
  void settle_whole();
  // What has not arrived so far is accounted for. REQUIRES: settle() before.
  void accept_losses();
  // A switch that was killed in the middle of a turn may not have given back what it had delivered:
  // the next one delivers that once more. Until called with false, such frames are taken once.
  void expect_repeats(bool expected) { repeats_expected_ = expected; }
  // A switch that has just started knows no address: it floods what it finds in the rings. Until
  // called with false, frames for other guests are let pass.
  void expect_strays(bool expected) { strays_expected_ = expected; }

  const PairBook& pair(uint16_t from, uint16_t to) const { return books_.at(from).at(to); }
  uint64_t received(uint16_t station) const;
  const std::vector<std::string>& problems() const { return problems_; }
  void problem(const std::string& text);
  // The switch was restarted: its counters begin again, and so do these.
  void new_book();
  // After something else than a lost connection: sets the station's rings up, as they are now.
  void start(uint16_t station);
  // Another VM comes in the station's place, with memory and rings of its own; start() attaches it.
  void replace(uint16_t station);
  // The switch is back, or has hung up: connects anew, rings going on where they stood.
  void reconnect(uint16_t station);

 private:
  uint32_t buffers_for(Station& station, uint32_t size);
  bool has_room(Station& station, uint32_t size);
  frontend::FrameHead next_head(Station& from, uint16_t to, uint64_t address, uint32_t size);
  bool put(Station& from, const std::vector<uint8_t>& frame, const frontend::ChainShape& shape);
  void transmit(uint16_t from, uint16_t to, uint64_t address, uint32_t size,
                const frontend::ChainShape& shape);
  bool receive(Station& station);
  void check(Station& receiver, const frontend::ReceivedFrame& frame);
  std::string fault_in(Station& receiver, const frontend::ReceivedFrame& frame,
                       frontend::FrameHead& head);
  uint64_t address_of(uint16_t station, uint64_t count);

  std::vector<std::unique_ptr<Station>> stations_;
  std::vector<std::vector<PairBook>> books_;  // by sender, by receiver
  uint64_t flood_address_ = frontend::kBroadcastAddress;
  bool repeats_expected_ = false;
  bool strays_expected_ = false;
  std::vector<std::string> problems_;
};

}  // namespace testbed
