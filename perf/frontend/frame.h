// The frames that measurements and tests send: who sent it, to whom, and which one it is, all in
// the first 32 bytes, so that every delivery can be checked for itself.
//
//   0  destination MAC   6  source MAC   12  EtherType 0x88b5 (IEEE 802, local experiments)
//  14  magic            16  source guest 18  destination guest, or kFlood   24  sequence number
// and from byte 32 on a pattern that depends on the sequence number (make_frame only).
//
// A guest's addresses are 02:00:GG:GG:II:II: its number and the address's index.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "frontend/protocol.h"

namespace frontend {

inline constexpr std::size_t kHeadSize = 32;
inline constexpr uint16_t kFlood = 0xffff;  // instead of a destination guest
inline constexpr uint16_t kFrameMagic = 0x5357;
inline constexpr uint64_t kBroadcastAddress = 0xffff'ffff'ffff;

// A MAC address in the low 48 bits, its first byte lowest.
constexpr uint64_t guest_mac(uint16_t guest, uint16_t index) {
  const auto swap = [](uint16_t v) { return static_cast<uint16_t>(v << 8 | v >> 8); };
  return 0x02u | static_cast<uint64_t>(swap(guest)) << 16 |
         static_cast<uint64_t>(swap(index)) << 32;
}

struct FrameHead {
  uint64_t destination_mac = 0;
  uint64_t source_mac = 0;
  uint16_t source = 0;
  uint16_t destination = 0;
  uint64_t sequence = 0;

  bool operator==(const FrameHead&) const = default;
};

inline void store_word(uint8_t* to, uint64_t word) {
  std::memcpy(to, &word, sizeof(word));
}
inline uint64_t load_word(const uint8_t* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

inline void write_head(uint8_t* frame, const FrameHead& head) {
  constexpr uint64_t kTypeAndMagic = 0xb588ull << 32 | static_cast<uint64_t>(kFrameMagic) << 48;
  // Word by word: an array filled by words and then copied by vectors would wait for its own
  // stores.
  store_word(frame, head.destination_mac | head.source_mac << 48);
  store_word(frame + 8, (head.source_mac >> 16 & 0xffff'ffff) | kTypeAndMagic);
  store_word(frame + 16, head.source | static_cast<uint64_t>(head.destination) << 16);
  store_word(frame + 24, head.sequence);
}

// Which addresses the frames of one guest bear: the destination guest changes with every frame, its
// address with every round over the destinations, the source address with every frame.
struct TrafficPlan {
  uint16_t guest = 0;
  uint16_t macs_per_guest = 1;
  std::vector<uint16_t> destinations;  // guests; kFlood broadcasts; empty: nothing is sent
};

// Walks through a plan. Copied into a local for the length of a burst: what frames are written to
// may alias anything that is not one. The plan's destinations must outlive it.
class PlanCursor {
 public:
  PlanCursor() = default;
  explicit PlanCursor(const TrafficPlan& plan)
      : destinations_(plan.destinations), guest_(plan.guest), macs_(plan.macs_per_guest) {}

  FrameHead next() {
    const uint16_t destination = destinations_[destination_];
    const FrameHead head{
        destination == kFlood ? kBroadcastAddress : guest_mac(destination, destination_mac_),
        guest_mac(guest_, source_mac_), guest_, destination, ++sequence_};
    if (++source_mac_ == macs_) source_mac_ = 0;
    if (++destination_ == destinations_.size()) {
      destination_ = 0;
      if (++destination_mac_ == macs_) destination_mac_ = 0;
    }
    return head;
  }

 private:
  std::span<const uint16_t> destinations_;
  uint16_t guest_ = 0;
  uint16_t macs_ = 1;
  uint16_t source_mac_ = 0;
  uint16_t destination_ = 0;  // index into destinations_
  uint16_t destination_mac_ = 0;
  uint64_t sequence_ = 0;
};

// Why a received frame is wrong; good means it is not.
enum class Verdict { good, not_ours, wrong_guest, wrong_address };

inline Verdict read_head(const uint8_t* frame, uint16_t receiver, FrameHead& head) {
  const uint64_t words[4] = {load_word(frame), load_word(frame + 8), load_word(frame + 16),
                             load_word(frame + 24)};
  head.destination_mac = words[0] & 0xffff'ffff'ffff;
  head.source_mac = words[0] >> 48 | (words[1] & 0xffff'ffff) << 16;
  head.source = static_cast<uint16_t>(words[2]);
  head.destination = static_cast<uint16_t>(words[2] >> 16);
  head.sequence = words[3];
  if (static_cast<uint16_t>(words[1] >> 48) != kFrameMagic) return Verdict::not_ours;
  if (head.destination == kFlood) return Verdict::good;
  if (head.destination != receiver) return Verdict::wrong_guest;
  const bool mine =
      static_cast<uint32_t>(words[0]) == static_cast<uint32_t>(guest_mac(receiver, 0));
  return mine ? Verdict::good : Verdict::wrong_address;
}

// A whole frame of `size` bytes (kHeadSize or more), without FCS.
std::vector<uint8_t> make_frame(const FrameHead& head, std::size_t size);
// The like as a TCP segment over IPv4 with its addresses, as an operating system hands it to a card
// that cuts: `size` bytes with a checksum of the pseudo-header alone. Nothing else of `head` is in
// it. A virtio-net header for it, cut into pieces of `gso_size`, is segment_header().
std::vector<uint8_t> make_segment(const FrameHead& head, std::size_t size);
NetHeader segment_header(uint16_t gso_size);
// Whether it begins as one for that guest does.
bool is_segment_for(std::span<const uint8_t> frame, uint16_t receiver);

// Whether every byte is what make_frame wrote for this head.
bool intact(std::span<const uint8_t> frame);

}  // namespace frontend
