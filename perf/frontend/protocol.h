// Numbers and layouts of the vhost-user protocol (QEMU docs/interop/vhost-user.rst) and of virtio
// 1.2 as far as a network front-end with split rings needs them. Written from the specifications.
#pragma once

#include <array>
#include <cstdint>

namespace frontend {

// vhost-user.rst, "Front-end message types".
enum class Request : uint32_t {
  get_features = 1,
  set_features = 2,
  set_owner = 3,
  reset_owner = 4,
  set_mem_table = 5,
  set_log_base = 6,
  set_log_fd = 7,
  set_vring_num = 8,
  set_vring_addr = 9,
  set_vring_base = 10,
  get_vring_base = 11,
  set_vring_kick = 12,
  set_vring_call = 13,
  set_vring_err = 14,
  get_protocol_features = 15,
  set_protocol_features = 16,
  get_queue_num = 17,
  set_vring_enable = 18,
  send_rarp = 19,
  net_set_mtu = 20,
  get_config = 24,
  set_config = 25,
  get_inflight_fd = 31,
  set_inflight_fd = 32,
  get_max_mem_slots = 36,
  add_mem_reg = 37,
  rem_mem_reg = 38,
  set_status = 39,
  get_status = 40,
};

inline constexpr uint32_t kVersion = 1;  // in the flags of every message
inline constexpr uint32_t kReplyFlag = 1u << 2;
inline constexpr uint32_t kNeedReplyFlag = 1u << 3;
inline constexpr uint64_t kNoDescriptorFlag = 1u << 8;  // of SET_VRING_KICK/CALL/ERR

struct MessageHeader {
  uint32_t request = 0;
  uint32_t flags = kVersion;
  uint32_t size = 0;
};
static_assert(sizeof(MessageHeader) == 12);

struct VringState {
  uint32_t index = 0;
  uint32_t value = 0;
};

struct VringAddress {
  uint32_t index = 0;
  uint32_t flags = 0;
  uint64_t descriptors = 0;
  uint64_t used = 0;
  uint64_t available = 0;
  uint64_t log = 0;
};
static_assert(sizeof(VringAddress) == 40);

inline constexpr uint32_t kLogsUsedRing = 1;  // VringAddress::flags, VHOST_VRING_F_LOG

struct LogArea {
  uint64_t mmap_size = 0;
  uint64_t mmap_offset = 0;
};

struct MemoryRegion {
  uint64_t guest_address = 0;
  uint64_t size = 0;
  uint64_t user_address = 0;
  uint64_t mmap_offset = 0;
};

inline constexpr std::size_t kMaxRegions = 8;

struct MemoryTable {
  uint32_t count = 0;
  uint32_t padding = 0;
  std::array<MemoryRegion, kMaxRegions> regions{};
};

// Feature bits (virtio 1.2, 5.1.3 and 6).
namespace feature {
inline constexpr uint64_t kCsum = 1ull << 0;
inline constexpr uint64_t kGuestCsum = 1ull << 1;
inline constexpr uint64_t kMtu = 1ull << 3;
inline constexpr uint64_t kMac = 1ull << 5;
inline constexpr uint64_t kGuestTso4 = 1ull << 7;
inline constexpr uint64_t kGuestTso6 = 1ull << 8;
inline constexpr uint64_t kGuestEcn = 1ull << 9;
inline constexpr uint64_t kHostTso4 = 1ull << 11;
inline constexpr uint64_t kHostTso6 = 1ull << 12;
inline constexpr uint64_t kHostEcn = 1ull << 13;
inline constexpr uint64_t kMergeable = 1ull << 15;
inline constexpr uint64_t kStatus = 1ull << 16;
inline constexpr uint64_t kControlQueue = 1ull << 17;
inline constexpr uint64_t kGuestAnnounce = 1ull << 21;
inline constexpr uint64_t kMultiqueue = 1ull << 22;
inline constexpr uint64_t kLogAll = 1ull << 26;
inline constexpr uint64_t kAnyLayout = 1ull << 27;
inline constexpr uint64_t kIndirect = 1ull << 28;
inline constexpr uint64_t kEventIndex = 1ull << 29;
inline constexpr uint64_t kProtocolFeatures = 1ull << 30;
inline constexpr uint64_t kVersion1 = 1ull << 32;
inline constexpr uint64_t kPackedRing = 1ull << 34;
inline constexpr uint64_t kInOrder = 1ull << 35;
}  // namespace feature

// vhost-user.rst, "Protocol features".
namespace protocol_feature {
inline constexpr uint64_t kMultiqueue = 1ull << 0;
inline constexpr uint64_t kLogShmfd = 1ull << 1;
inline constexpr uint64_t kRarp = 1ull << 2;
inline constexpr uint64_t kReplyAck = 1ull << 3;
inline constexpr uint64_t kNetMtu = 1ull << 4;
inline constexpr uint64_t kConfig = 1ull << 9;
inline constexpr uint64_t kConfigureMemSlots = 1ull << 15;
}  // namespace protocol_feature

// virtio 1.2, 2.7.5.
struct Descriptor {
  uint64_t address = 0;
  uint32_t length = 0;
  uint16_t flags = 0;
  uint16_t next = 0;
};
static_assert(sizeof(Descriptor) == 16);

inline constexpr uint16_t kDescriptorNext = 1;
inline constexpr uint16_t kDescriptorWrite = 2;
inline constexpr uint16_t kDescriptorIndirect = 4;
inline constexpr uint16_t kNoInterrupt = 1;  // avail->flags
inline constexpr uint16_t kNoNotify = 1;     // used->flags

// virtio 1.2, 2.7.8.
struct UsedElement {
  uint32_t id = 0;
  uint32_t length = 0;
};

// virtio 1.2, 5.1.6; num_buffers is there with VERSION_1 or MRG_RXBUF only.
struct NetHeader {
  uint8_t flags = 0;
  uint8_t gso_type = 0;
  uint16_t header_length = 0;
  uint16_t gso_size = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
  uint16_t num_buffers = 0;

  bool operator==(const NetHeader&) const = default;
};
static_assert(sizeof(NetHeader) == 12);

inline constexpr uint8_t kNeedsChecksum = 1;  // flags
inline constexpr uint8_t kGsoTcpIpv4 = 1;     // gso_type
inline constexpr uint32_t kShortHeader = 10;
inline constexpr uint32_t kLongHeader = 12;

}  // namespace frontend
