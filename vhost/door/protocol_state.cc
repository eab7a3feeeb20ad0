#include "vhost/door/protocol_state.h"

#include <bit>
#include <cstddef>

#include "vhost/door/message_rules.h"
#include "vhost/door/summary.h"

namespace vhost::door {
namespace {

constexpr uint32_t kMinMtu = 68;                      // virtio 1.2, 5.1.4.1
constexpr uint32_t kRingsWithoutMultiqueue = 2;       // virtio 1.2, 5.1.2
constexpr uint64_t kLogPage = 4096;                   // one bit of the dirty log a page
constexpr uint64_t kMaxLogBytes = uint64_t{1} << 30;  // for 32 TiB of guest addresses

std::string for_ring(const char* name, uint64_t index) {
  return std::string(name) + " for ring " + std::to_string(index);
}

// How many descriptors travel with a message that is not SET_MEM_TABLE or SET_VRING_KICK and kin.
void check_descriptor_count(const Message& message, std::span<const FdFacts> fds) {
  const std::size_t expected =
      message.request() == Request::set_log_base || message.request() == Request::set_log_fd;
  if (fds.size() == expected) return;
  throw ProtocolError(message_name(message.header.request) + " with " + std::to_string(fds.size()) +
                      " file descriptors instead of " + std::to_string(expected));
}

bool names_ring_file(Request request) {
  return request == Request::set_vring_kick || request == Request::set_vring_call ||
         request == Request::set_vring_err;
}

}  // namespace

void ProtocolState::check(const Message& message, std::span<const FdFacts> fds) {
  check_offered(message.request());
  if (names_ring_file(message.request())) return check_ring_file(message, fds);
  if (message.request() == Request::set_mem_table) {
    announced_ = MemoryLayout::check(message.payload_as<RegionTable>(), message.header.size, fds);
    return;
  }
  check_descriptor_count(message, fds);
  switch (message.request()) {
    case Request::set_features:
      return check_features(message.payload_as<uint64_t>());
    case Request::set_protocol_features:
      return check_protocol_features(message.payload_as<uint64_t>());
    case Request::set_vring_num:
      return check_ring_size(message.payload_as<VringState>());
    case Request::set_vring_base:
      return check_ring_base(message.payload_as<VringState>());
    case Request::set_vring_addr:
      return check_ring_address(message.payload_as<VringAddress>());
    case Request::set_vring_enable:
      return check_ring_enable(message.payload_as<VringState>());
    case Request::get_vring_base:
      return check_ring_index(message.payload_as<VringState>().index, "GET_VRING_BASE");
    case Request::set_log_base:
      return check_log(message.payload_as<LogArea>(), fds);
    case Request::set_log_fd:
      if (fds[0].kind != FdFacts::Kind::eventfd) throw ProtocolError("SET_LOG_FD: not an eventfd");
      return;
    case Request::send_rarp:
      return check_announced(message.payload_as<uint64_t>());
    case Request::net_set_mtu:
      if (const auto mtu = message.payload_as<uint64_t>();
          mtu < kMinMtu || mtu > offer_.largest_mtu) {
        throw ProtocolError("NET_SET_MTU " + std::to_string(mtu) + ": this port has an MTU of " +
                            std::to_string(offer_.largest_mtu));
      }
      return;
    default:
      return;
  }
}

uint64_t ProtocolState::answer(Request request) const {
  if (request == Request::get_features) return offer_.features;
  if (request == Request::get_protocol_features) return offer_.protocol_features;
  return rings_.size();  // GET_QUEUE_NUM: VMMs compare it with their number of rings
}

void ProtocolState::commit(const Message& message, bool success) {
  switch (message.request()) {
    case Request::set_features:
      if (success) features_ = message.payload_as<uint64_t>();
      break;
    case Request::set_mem_table:
      memory_ = success ? announced_ : MemoryLayout{};  // rte_vhost has dropped the old one
      break;
    case Request::set_vring_num: {
      const auto state = message.payload_as<VringState>();
      rings_[state.index].size = success ? state.value : 0;
      break;
    }
    case Request::set_vring_base: {
      const auto state = message.payload_as<VringState>();
      rings_[state.index].base = state.value;
      break;
    }
    case Request::set_vring_addr:
      rings_[message.payload_as<VringAddress>().index].addressed = true;
      break;
    case Request::set_vring_kick:
      rings_[message.payload_as<uint64_t>() & kRingIndexMask].kicked = true;
      break;
    case Request::get_vring_base: {
      Ring& ring = rings_[message.payload_as<VringState>().index];
      ring.addressed = ring.kicked = false;
      break;
    }
    case Request::reset_owner:
      *this = ProtocolState(offer_);
      break;
    default:
      break;
  }
}

void ProtocolState::check_offered(Request request) const {
  const MessageRule* rule = find_rule(static_cast<uint32_t>(request));
  if ((rule->needs & ~offer_.protocol_features) != 0) {
    throw ProtocolError(std::string(rule->name) + ": its protocol feature is not offered");
  }
  const bool negotiates =
      request == Request::get_protocol_features || request == Request::set_protocol_features;
  if (negotiates && (offer_.features & kFeatureProtocolFeatures) == 0) {
    throw ProtocolError(std::string(rule->name) + ": protocol features are not offered");
  }
}

// A change of layout (packed, event index) over areas that were checked for the other one would
// let the library read beyond them, so whatever has addresses freezes the features.
void ProtocolState::check_features(uint64_t wanted) const {
  if (const uint64_t extra = wanted & ~offer_.features; extra != 0) {
    throw ProtocolError("SET_FEATURES " + hexadecimal(wanted) + ": " + hexadecimal(extra) +
                        " is not offered");
  }
  if (((wanted ^ features_) & ~kFeatureLogAll) == 0) return;
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    if (!rings_[i].addressed) continue;
    throw ProtocolError("SET_FEATURES " + hexadecimal(wanted) + " instead of " +
                        hexadecimal(features_) + " while ring " + std::to_string(i) + " is set up");
  }
}

void ProtocolState::check_protocol_features(uint64_t wanted) const {
  if (const uint64_t extra = wanted & ~offer_.protocol_features; extra != 0) {
    throw ProtocolError("SET_PROTOCOL_FEATURES " + hexadecimal(wanted) + ": " + hexadecimal(extra) +
                        " is not offered");
  }
}

void ProtocolState::check_ring_index(uint64_t index, const std::string& what) const {
  if (index < rings_.size()) return;
  throw ProtocolError(what + " for ring " + std::to_string(index) + ": this port has rings 0 to " +
                      std::to_string(rings_.size() - 1));
}

void ProtocolState::check_ring_file(const Message& message, std::span<const FdFacts> fds) const {
  const auto value = message.payload_as<uint64_t>();
  const uint64_t index = value & kRingIndexMask;
  const char* name = find_rule(message.header.request)->name;
  check_ring_index(index, name);
  const std::string what = for_ring(name, index);
  if ((value & ~(kRingIndexMask | kNoDescriptor)) != 0) {
    throw ProtocolError(what + ": unknown bits in " + hexadecimal(value));
  }
  const std::size_t expected = (value & kNoDescriptor) != 0 ? 0 : 1;
  if (fds.size() != expected) {
    throw ProtocolError(what + " with " + std::to_string(fds.size()) +
                        " file descriptors instead of " + std::to_string(expected));
  }
  // No call descriptor is a guest that polls; no kick descriptor asks us to poll for ever.
  if (expected == 0 && message.request() == Request::set_vring_kick) {
    throw ProtocolError(what + " without a file descriptor: polled rings are not served");
  }
  if (expected == 1 && fds[0].kind != FdFacts::Kind::eventfd) {
    throw ProtocolError(what + ": its file descriptor is not an eventfd");
  }
}

// The address lies in the first six bytes of the number (vhost-user specification, SEND_RARP).
void ProtocolState::check_announced(uint64_t value) const {
  constexpr uint64_t kGroup = 1;
  constexpr uint64_t kAddress = (uint64_t{1} << 48) - 1;
  if ((value & kAddress) != 0 && (value & kGroup) == 0) return;
  throw ProtocolError("SEND_RARP " + hexadecimal(value) + ": not the address of a station");
}

void ProtocolState::check_ring_size(const VringState& wanted) const {
  check_ring_index(wanted.index, "SET_VRING_NUM");
  const Ring& ring = rings_[wanted.index];
  const std::string what =
      "SET_VRING_NUM " + std::to_string(wanted.value) + " for ring " + std::to_string(wanted.index);
  if (wanted.value > kMaxVringSize) throw ProtocolError(what + ": at most 1024");
  if (wanted.value < kMinVringSize) throw ProtocolError(what + ": at least 2");
  if (!packed() && !std::has_single_bit(wanted.value)) {
    throw ProtocolError(what + ": not a power of two");
  }
  if (ring.running()) throw ProtocolError(what + ", which is running");
  if (ring.addressed && ring.size != wanted.value) {
    throw ProtocolError(what + ", whose addresses were set for " + std::to_string(ring.size));
  }
}

void ProtocolState::check_ring_base(const VringState& wanted) const {
  check_ring_index(wanted.index, "SET_VRING_BASE");
  const Ring& ring = rings_[wanted.index];
  const std::string what = "SET_VRING_BASE " + std::to_string(wanted.value) + " for ring " +
                           std::to_string(wanted.index);
  if (ring.running()) throw ProtocolError(what + ", which is running");
  // Of a packed ring QEMU names both places, the used one in the upper half; rte_vhost takes the
  // lower one for both.
  if (!packed() && wanted.value > 0xffff) throw ProtocolError(what + ": at most 65535");
  if (packed() && ring.addressed && (wanted.value & 0x7fff) >= ring.size) {
    throw ProtocolError(what + ": beyond its size of " + std::to_string(ring.size));
  }
}

void ProtocolState::check_ring_enable(const VringState& wanted) const {
  check_ring_index(wanted.index, "SET_VRING_ENABLE");
  if (wanted.value > 1) {
    throw ProtocolError(for_ring("SET_VRING_ENABLE", wanted.index) + ": neither 0 nor 1");
  }
}

void ProtocolState::check_ring_address(const VringAddress& wanted) const {
  check_ring_index(wanted.index, "SET_VRING_ADDR");
  const Ring& ring = rings_[wanted.index];
  const std::string what = for_ring("SET_VRING_ADDR", wanted.index);
  if (wanted.index >= kRingsWithoutMultiqueue && (features_ & kFeatureNetMultiqueue) == 0) {
    throw ProtocolError(what + ": VIRTIO_NET_F_MQ was not negotiated");
  }
  if (memory_.empty()) throw ProtocolError(what + " before a memory table");
  if (ring.size == 0) throw ProtocolError(what + " before its size");
  if ((wanted.flags & ~kVringLogs) != 0) throw ProtocolError(what + ": unknown flags");
  if (wanted.flags != 0 && (offer_.features & kFeatureLogAll) == 0) {
    throw ProtocolError(what + ": dirty logging is not offered");
  }
  // Both may have been set while other features were negotiated.
  if (!packed() && !std::has_single_bit(ring.size)) {
    throw ProtocolError(what + ": its size " + std::to_string(ring.size) +
                        " is not a power of two");
  }
  if (packed() && (ring.base & 0x7fff) >= ring.size) {
    throw ProtocolError(what + ": its base lies beyond its size");
  }
  check_areas(wanted, what);
  check_used_log(wanted, what);
}

// Without an IOMMU between, the device area is logged where it lies, and so the rings do it: what
// else the VMM might mean is told here, not found as corruption behind a migration.
void ProtocolState::check_used_log(const VringAddress& wanted, const std::string& what) const {
  if ((wanted.flags & kVringLogs) == 0) return;
  const uint64_t place = *memory_.guest_physical(wanted.used);
  if (wanted.log_guest_physical == place) return;
  throw ProtocolError(what + ": its log address " + hexadecimal(wanted.log_guest_physical) +
                      " is not that of its device area, " + hexadecimal(place));
}

// Sizes and alignment: virtio 1.2, 2.7 (split) and 2.8 (packed).
void ProtocolState::check_areas(const VringAddress& wanted, const std::string& what) const {
  const uint64_t size = rings_[wanted.index].size;
  const uint64_t event = (features_ & kFeatureEventIdx) != 0 ? 2 : 0;
  struct Area {
    const char* name;
    uint64_t address;
    uint64_t length;
    uint64_t alignment;
  };
  const Area areas[] = {
      {"descriptor area", wanted.descriptors, 16 * size, 16},
      {"driver area", wanted.available, packed() ? 4 : 4 + 2 * size + event,
       packed() ? uint64_t{4} : uint64_t{2}},
      {"device area", wanted.used, packed() ? 4 : 4 + 8 * size + event, 4},
  };
  for (const Area& area : areas) {
    if (area.address % area.alignment != 0) {
      throw ProtocolError(what + ": " + area.name + " at " + hexadecimal(area.address) +
                          " not aligned");
    }
    if (!memory_.contains_user(area.address, area.length)) {
      throw ProtocolError(what + ": " + area.name + " at " + hexadecimal(area.address) +
                          " outside guest memory");
    }
  }
}

// rte_vhost maps the log at mmap_offset and then adds it once more: only 0 is right. A log that was
// truncated is mended in small pages (memory_guard.h).
void ProtocolState::check_log(const LogArea& log, std::span<const FdFacts> fds) const {
  if (log.mmap_offset != 0) {
    throw ProtocolError("SET_LOG_BASE at offset " + std::to_string(log.mmap_offset) +
                        ": only 0 is possible");
  }
  if (fds[0].kind != FdFacts::Kind::memory) {
    throw ProtocolError("SET_LOG_BASE: its file is neither on tmpfs (memfd) nor on hugetlbfs");
  }
  if (fds[0].huge_pages) throw ProtocolError("SET_LOG_BASE: its file is on hugetlbfs, not tmpfs");
  if (fds[0].read_only) throw ProtocolError("SET_LOG_BASE: its file cannot be written");
  if (log.mmap_size > kMaxLogBytes) {
    throw ProtocolError("SET_LOG_BASE of " + std::to_string(log.mmap_size) + " bytes: at most " +
                        std::to_string(kMaxLogBytes));
  }
  if (fds[0].size < log.mmap_size) throw ProtocolError("SET_LOG_BASE: its file is too short");
  if (memory_.empty()) throw ProtocolError("SET_LOG_BASE before a memory table");
  const uint64_t needed = memory_.highest_guest_physical() / kLogPage / 8 + 1;
  if (log.mmap_size < needed) {
    throw ProtocolError("SET_LOG_BASE of " + std::to_string(log.mmap_size) +
                        " bytes: the guest's memory needs " + std::to_string(needed));
  }
}

}  // namespace vhost::door
