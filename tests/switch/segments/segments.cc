#include "segments/segments.h"

#include <signal.h>

#include <atomic>
#include <bit>
#include <cstring>
#include <thread>

#include "bench/cpu.h"
#include "frontend/guest.h"
#include "lib/books.h"
#include "lib/switch_process.h"
#include "ring/offload_frames.h"

namespace testbed {
namespace {

namespace feature = frontend::feature;

constexpr uint32_t kHeader = frontend::kLongHeader;
const vhost::test::FrameKind kSegment = {
    .name = "", .options = 12, .payload = 65160, .segment = 1448};

frontend::GuestOptions options_for(const SwitchProcess& process, const std::string& port,
                                   const SegmentOptions& wanted) {
  frontend::GuestOptions options;
  options.socket = process.socket(port);
  options.features = options.required_features =
      feature::kVersion1 | feature::kProtocolFeatures | feature::kMergeable | feature::kCsum |
      feature::kHostTso4 | feature::kGuestCsum | feature::kGuestTso4;
  options.transmit_size = wanted.transmit_ring;
  options.receive_size = wanted.receive_ring;
  return options;
}

// The two guests and their buffers.
class Pair {
 public:
  Pair(const SwitchProcess& process, const SegmentOptions& wanted)
      : wanted_(wanted),
        sender_(options_for(process, "p0", wanted)),
        receiver_(options_for(process, "p1", wanted)) {
    sender_.start();
    receiver_.start();
    lay_out_frames();
    lay_out_buffers();
  }

  // A turn of both guests.
  void turn() {
    repost(sender_.transmit_ring());
    repost(receiver_.receive_ring());
  }
  // Copies a segment as the switch would: into as many buffers as it takes.
  void copy_one() {
    const uint8_t* from = frames_[next_frame_];
    next_frame_ = (next_frame_ + 1) % frames_.size();
    for (uint32_t left = bytes(); left > 0;) {
      const uint32_t part = std::min(left, wanted_.receive_buffer);
      std::memcpy(buffers_[next_buffer_], from, part);
      next_buffer_ = (next_buffer_ + 1) % buffers_.size();
      from += part;
      left -= part;
    }
  }
  uint32_t bytes() const { return kHeader + static_cast<uint32_t>(frame_.bytes.size()); }

 private:
  static void repost(frontend::Ring& ring) {
    const uint16_t pending = ring.pending();
    if (pending == 0) return;
    for (uint16_t i = 0; i < pending; ++i) {
      ring.set_available(i, static_cast<uint16_t>(ring.used(i).id & ring.mask()));
    }
    ring.consume(pending);
    ring.publish(pending);
  }
  void lay_out_frames() {
    frontend::Ring& ring = sender_.transmit_ring();
    for (uint16_t i = 0; i < ring.size(); ++i) {
      uint8_t* at = sender_.memory().allocate(bytes(), 64);
      std::memcpy(at, &frame_.header, kHeader);
      std::copy(frame_.bytes.begin(), frame_.bytes.end(), at + kHeader);
      frames_.push_back(at);
      ring.descriptors()[i] = {sender_.memory().guest_address(at), bytes(), 0, 0};
      ring.set_available(i, i);
    }
    ring.publish(ring.size());
  }
  void lay_out_buffers() {
    frontend::Ring& ring = receiver_.receive_ring();
    for (uint16_t i = 0; i < ring.size(); ++i) {
      buffers_.push_back(receiver_.memory().allocate(wanted_.receive_buffer, 64));
      ring.descriptors()[i] = {receiver_.memory().guest_address(buffers_.back()),
                               wanted_.receive_buffer, frontend::kDescriptorWrite, 0};
      ring.set_available(i, i);
    }
    ring.publish(ring.size());
  }

  const SegmentOptions wanted_;
  const vhost::test::OffloadFrame frame_ = vhost::test::make_offload_frame(kSegment);
  frontend::Guest sender_;
  frontend::Guest receiver_;
  std::vector<uint8_t*> frames_;
  std::vector<uint8_t*> buffers_;
  std::size_t next_frame_ = 0;
  std::size_t next_buffer_ = 0;
};

struct Reading {
  double tsc = 0;
  double cycles = 0;
  double taken = 0;
  double delivered = 0;
};

Reading read(SwitchProcess& process) {
  const nlohmann::json stats = process.call("stats.get");
  const Books books(stats);
  return {static_cast<double>(bench::tsc()), stats["workers"][0]["busy_cycles"].get<double>(),
          static_cast<double>(books.ingress("p0", "frames")),
          static_cast<double>(books.egress("p1", "tso_whole"))};
}

void wait(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void measure_switch(SwitchProcess& process, Pair& pair, int cpu, double seconds,
                    SegmentRound& round) {
  std::atomic<bool> stop{false};
  std::thread guests([&] {
    bench::pin_to(cpu);
    while (!stop.load(std::memory_order_relaxed)) pair.turn();
  });
  wait(seconds / 4);
  const Reading first = read(process);
  wait(seconds);
  const Reading last = read(process);
  stop = true;
  guests.join();
  const double delivered = last.delivered - first.delivered;
  if (delivered <= 0) throw TestbedError("no segment arrived whole");
  round.switch_cycles = (last.cycles - first.cycles) / delivered;
  round.lost = 1 - delivered / (last.taken - first.taken);
  round.bytes_a_second = delivered * pair.bytes() / ((last.tsc - first.tsc) / bench::tsc_hz());
}

double measure_bare(Pair& pair, int cpu, double seconds) {
  uint64_t copies = 0;
  double cycles = 0;
  std::thread loop([&] {
    bench::pin_to(cpu);
    for (int i = 0; i < 100; ++i) pair.copy_one();
    const uint64_t begin = bench::tsc();
    const auto end = begin + static_cast<uint64_t>(seconds * bench::tsc_hz());
    while (bench::tsc() < end) {
      pair.copy_one();
      ++copies;
    }
    cycles = static_cast<double>(bench::tsc() - begin);
  });
  loop.join();
  return cycles / static_cast<double>(std::max<uint64_t>(copies, 1));
}

}  // namespace

std::vector<SegmentRound> measure_segments(const SegmentOptions& options) {
  const std::vector<int> cpus = bench::allowed_cpus();
  std::vector<std::string> arguments = port_arguments(2);
  arguments.insert(arguments.end(), {"--poll", "busy"});
  SwitchProcess process(arguments);
  Pair pair(process, options);
  std::vector<SegmentRound> rounds;
  for (unsigned i = 0; i < options.rounds; ++i) {
    SegmentRound round;
    measure_switch(process, pair, cpus.front(), options.seconds, round);
    kill(process.pid(), SIGSTOP);
    round.bare_cycles = measure_bare(pair, cpus.back(), options.seconds);  // where switchd polls
    kill(process.pid(), SIGCONT);
    rounds.push_back(round);
  }
  return rounds;
}

}  // namespace testbed
