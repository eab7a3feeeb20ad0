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
inline constexpr unsigned kNetChecksum = 0;       // VIRTIO_NET_F_CSUM: the device completes
inline constexpr unsigned kNetGuestChecksum = 1;  // VIRTIO_NET_F_GUEST_CSUM: the driver does
inline constexpr unsigned kNetMtu = 3;            // VIRTIO_NET_F_MTU
inline constexpr unsigned kNetGuestTso4 = 7;      // VIRTIO_NET_F_GUEST_TSO4: the driver takes
inline constexpr unsigned kNetGuestTso6 = 8;
inline constexpr unsigned kNetGuestEcn = 9;
inline constexpr unsigned kNetHostTso4 = 11;  // VIRTIO_NET_F_HOST_TSO4: the device takes
inline constexpr unsigned kNetHostTso6 = 12;
inline constexpr unsigned kNetHostEcn = 13;
inline constexpr unsigned kNetMergeableRxBuf = 15;  // VIRTIO_NET_F_MRG_RXBUF
inline constexpr unsigned kNetControlQueue = 17;    // VIRTIO_NET_F_CTRL_VQ
inline constexpr unsigned kNetMultiqueue = 22;      // VIRTIO_NET_F_MQ
inline constexpr unsigned kLogAll = 26;             // VHOST_F_LOG_ALL: writes are logged
inline constexpr unsigned kAnyLayout = 27;          // VIRTIO_F_ANY_LAYOUT (legacy)
inline constexpr unsigned kRingIndirectDesc = 28;
inline constexpr unsigned kRingEventIdx = 29;
inline constexpr unsigned kProtocolFeatures = 30;  // VHOST_USER_F_PROTOCOL_FEATURES
inline constexpr unsigned kVersion1 = 32;
inline constexpr unsigned kRingPacked = 34;
inline constexpr unsigned kInOrder = 35;  // both rings return buffers in the order they came

constexpr uint64_t bit(unsigned number) {
  return uint64_t{1} << number;
}
}  // namespace feature

namespace protocol_feature {
inline constexpr unsigned kMultiqueue = 0;
inline constexpr unsigned kLogShmfd = 1;
inline constexpr unsigned kRarp = 2;
inline constexpr unsigned kReplyAck = 3;
inline constexpr unsigned kNetMtu = 4;
}  // namespace protocol_feature

// What a port offers, for as long as it has the same configuration, and after a restart of the
// switch at least the same. Nothing stands here that is not implemented. Not UFO and not USO: what
// cannot be cut for a receiver without them is not taken.
inline constexpr uint64_t kOfferedFeatures =
    feature::bit(feature::kNetChecksum) | feature::bit(feature::kNetGuestChecksum) |
    feature::bit(feature::kNetGuestTso4) | feature::bit(feature::kNetGuestTso6) |
    feature::bit(feature::kNetGuestEcn) | feature::bit(feature::kNetHostTso4) |
    feature::bit(feature::kNetHostTso6) | feature::bit(feature::kNetHostEcn) |
    feature::bit(feature::kNetMergeableRxBuf) | feature::bit(feature::kLogAll) |
    feature::bit(feature::kAnyLayout) | feature::bit(feature::kRingIndirectDesc) |
    feature::bit(feature::kRingEventIdx) | feature::bit(feature::kProtocolFeatures) |
    feature::bit(feature::kVersion1) | feature::bit(feature::kInOrder);
// What is offered besides, as a port is configured.
struct PortOffer {
  bool mtu = false;  // it has an MTU
  // It may have several pairs of queues. The control queue, by which a driver says how many it
  // uses, is the VMM's own affair; but cloud-hypervisor has one only when the back-end offers it,
  // and QEMU passes VIRTIO_NET_F_MQ on only then.
  bool multiqueue = false;
  bool packed = false;  // it is set to
};
constexpr uint64_t offered_features(const PortOffer& port) {
  constexpr uint64_t kMultiqueue =
      feature::bit(feature::kNetControlQueue) | feature::bit(feature::kNetMultiqueue);
  return kOfferedFeatures | (port.mtu ? feature::bit(feature::kNetMtu) : 0) |
         (port.multiqueue ? kMultiqueue : 0) |
         (port.packed ? feature::bit(feature::kRingPacked) : 0);
}
inline constexpr uint64_t kOfferedProtocolFeatures =
    feature::bit(protocol_feature::kMultiqueue) | feature::bit(protocol_feature::kLogShmfd) |
    feature::bit(protocol_feature::kRarp) | feature::bit(protocol_feature::kReplyAck);
constexpr uint64_t offered_protocol_features(const PortOffer& port) {
  return kOfferedProtocolFeatures | (port.mtu ? feature::bit(protocol_feature::kNetMtu) : 0);
}

// Ring sizes that a port accepts: up to this, and powers of two for split rings (virtio 1.2, 2.7).
inline constexpr uint16_t kMaxRingSize = 1024;
// Pairs of a receive and a transmit queue (virtio 1.2, 5.1.2) that a port may have.
inline constexpr uint16_t kMaxQueuePairs = 16;

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
// In packed rings (virtio 1.2, 2.8.1), where `flags` comes last and the buffer's id before it.
inline constexpr uint16_t kDescAvailable = 1 << 7;
inline constexpr uint16_t kDescUsed = 1 << 15;

// Event suppression of packed rings (virtio 1.2, 2.8.10): 16 bits of place and wrap counter, 16 of
// flags.
inline constexpr uint16_t kWrapBit = 1 << 15;
inline constexpr uint16_t kEventEnable = 0;
inline constexpr uint16_t kEventDisable = 1;
inline constexpr uint16_t kEventDescriptor = 2;  // with VIRTIO_F_EVENT_IDX alone

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

inline constexpr uint8_t kNetNeedsChecksum = 1;  // NetHeader::flags
inline constexpr uint8_t kGsoNone = 0;           // NetHeader::gso_type
inline constexpr uint8_t kGsoTcp4 = 1;
inline constexpr uint8_t kGsoTcp6 = 4;
inline constexpr uint8_t kGsoEcn = 0x80;  // beside one of the others

}  // namespace vhost
