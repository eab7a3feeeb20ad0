// All guests of a measurement, and the one thread that drives them.
//
// The thread turns every guest's rings without pause between resume() and pause(); the caller may
// meanwhile talk to the switch and take snapshots, which the thread itself makes between two turns.
// While paused the caller owns the guests. Errors: frontend::Error from the constructor
// (connecting) and from pause() when the switch stops taking frames.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/pattern.h"
#include "frontend/guest.h"
#include "frontend/receive_stream.h"
#include "frontend/transmit_stream.h"

namespace bench {

enum class Mode { rings, touch };

struct TrafficOptions {
  std::vector<std::string> sockets;
  bool listen = false;  // the switch connects to us
  Pattern pattern = Pattern::pair;
  uint32_t frame_size = 64;  // with the FCS that a virtio-net frame does not carry
  uint16_t gso_size = 0;  // not 0: TCP segments of frame_size, to be cut into pieces of this size
  uint16_t macs_per_port = 1;
  Mode mode = Mode::rings;
  frontend::StreamShape shape = frontend::StreamShape::direct;
  bool packed = false;     // rings
  bool scattered = false;  // the guests' buffers in memory (frontend/buffer_order.h)
  uint16_t ring_size = 256;
  uint32_t receive_buffer = 2048;  // raised in rings mode to hold a whole frame
  bool hugepages = false;
  int cpu = 0;
};

struct TrafficCounts {
  uint64_t tsc = 0;
  uint64_t sent = 0;  // taken by the switch
  uint64_t delivered = 0;
  uint64_t wrong = 0;
  uint64_t misordered = 0;
  uint64_t bad_headers = 0;
  uint64_t protocol_errors = 0;
};

class Traffic {
 public:
  explicit Traffic(const TrafficOptions& options);
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  // Every guest sends one broadcast from each of its addresses, so that the switch knows them all;
  // counts start at 0 afterwards.
  void announce();
  void resume();
  // Takes back everything sent and waits until nothing more arrives: counts are exact then.
  void pause();
  TrafficCounts snapshot();
  // Rings mode: what lies in the receivers' buffers, and how much of it is for somebody else.
  struct Audit {
    uint64_t looked_at = 0;
    uint64_t wrong = 0;
  };
  Audit audit() const;

 private:
  struct Station {
    frontend::Guest guest;
    std::unique_ptr<frontend::TransmitStream> transmit;
    std::unique_ptr<frontend::ReceiveStream> receive;

    explicit Station(frontend::GuestOptions options) : guest(std::move(options)) {}
  };

  void add_station(uint16_t index);
  void aim(bool broadcast);
  void run();
  void turn();
  bool receive_all();
  void drain();
  TrafficCounts count() const;

  TrafficOptions options_;
  std::vector<std::unique_ptr<Station>> stations_;
  TrafficCounts before_;  // counted before the current plan
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> snapshot_wanted_{false};
  TrafficCounts snapshot_;
};

}  // namespace bench
