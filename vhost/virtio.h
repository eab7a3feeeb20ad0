// What the virtio 1.2 specification lays down for a network device and its split rings: feature
// bits (6, 5.1.3), ring layout (2.7), network header (5.1.6). Our guests are little-endian x86-64
// machines and so is the host; fields are used as they lie in memory.
//
// Threads: constants and plain structs.
#pragma once

#include <cstdint>

namespace vhost {

// Feature bits, as bit numbers.
namespace feature {
inline constexpr unsigned kNetMergeableRxBuf = 15;  // VIRTIO_NET_F_MRG_RXBUF
inline constexpr unsigned kAnyLayout = 27;          // VIRTIO_F_ANY_LAYOUT (legacy)
inline constexpr unsigned kRingIndirectDesc = 28;
inline constexpr unsigned kRingEventIdx = 29;
inline constexpr unsigned kProtocolFeatures = 30;  // VHOST_USER_F_PROTOCOL_FEATURES
inline constexpr unsigned kVersion1 = 32;
inline constexpr unsigned kInOrder = 35;  // both rings return buffers in the order they came

constexpr uint64_t bit(unsigned number) {
  return uint64_t{1} << number;
}
}  // namespace feature

namespace protocol_feature {
inline constexpr unsigned kMultiqueue = 0;
inline constexpr unsigned kReplyAck = 3;
}  // namespace protocol_feature

// What a port offers. Nothing stands here that is not implemented.
inline constexpr uint64_t kOfferedFeatures =
    feature::bit(feature::kNetMergeableRxBuf) | feature::bit(feature::kAnyLayout) |
    feature::bit(feature::kRingIndirectDesc) | feature::bit(feature::kRingEventIdx) |
    feature::bit(feature::kProtocolFeatures) | feature::bit(feature::kVersion1) |
    feature::bit(feature::kInOrder);
inline constexpr uint64_t kOfferedProtocolFeatures =
    feature::bit(protocol_feature::kMultiqueue) | feature::bit(protocol_feature::kReplyAck);

// Ring sizes that a port accepts: powers of two (virtio 1.2, 2.7) up to this.
inline constexpr uint16_t kMaxRingSize = 1024;

// Descriptor (virtio 1.2, 2.7.5).
struct Descriptor {
  uint64_t address;  // guest-physical
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};
static_assert(sizeof(Descriptor) == 16);

inline constexpr uint16_t kDescNext = 1;
inline constexpr uint16_t kDescWrite = 2;  // device writes
inline constexpr uint16_t kDescIndirect = 4;

// Driver area (virtio 1.2, 2.7.6): this, `size` entries of 16 bits, `used_event`.
struct AvailRing {
  uint16_t flags;
  uint16_t index;
};
inline constexpr uint16_t kAvailNoInterrupt = 1;

// Device area (virtio 1.2, 2.7.8): a UsedRing, `size` elements, `avail_event`.
struct UsedElement {
  uint32_t id;
  uint32_t length;
};
static_assert(sizeof(UsedElement) == 8);

struct UsedRing {
  uint16_t flags;
  uint16_t index;
};
inline constexpr uint16_t kUsedNoNotify = 1;

// Network header (virtio 1.2, 5.1.6). Ten bytes for legacy drivers without mergeable buffers.
struct NetHeader {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t header_length;
  uint16_t gso_size;
  uint16_t checksum_start;
  uint16_t checksum_offset;
  uint16_t buffer_count;
};
static_assert(sizeof(NetHeader) == 12);
inline constexpr unsigned kNetHeaderBytes = 12;
inline constexpr unsigned kLegacyNetHeaderBytes = 10;

}  // namespace vhost
