// Builders of vhost-user messages for the door's tests.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "vhost/door/fd_facts.h"
#include "vhost/door/message.h"
#include "vhost/door/wire.h"

namespace vhost::door::test {

inline constexpr uint64_t kMiB = uint64_t{1} << 20;
inline constexpr uint64_t kUserBase = 0x7f0000000000;
inline constexpr FdFacts kEventfd{FdFacts::Kind::eventfd, 0};
inline constexpr FdFacts kPipe{FdFacts::Kind::other, 0};
inline constexpr FdFacts memory_file(uint64_t size) {
  return {FdFacts::Kind::memory, size};
}

inline Message message(Request request, uint32_t flags = kVersion) {
  Message made;
  made.header = {static_cast<uint32_t>(request), flags, 0};
  return made;
}

template <typename T>
Message message(Request request, const T& payload, uint32_t flags = kVersion) {
  Message made = message(request, flags);
  made.set_payload(payload);
  return made;
}

inline Message number(Request request, uint64_t value) {
  return message(request, value);
}

inline Message state(Request request, uint32_t ring, uint32_t value) {
  return message(request, VringState{ring, value});
}

inline Message table(std::span<const Region> regions) {
  RegionTable payload{};
  payload.count = static_cast<uint32_t>(regions.size());
  for (std::size_t i = 0; i < regions.size() && i < kMaxRegions; ++i) {
    payload.regions[i] = regions[i];
  }
  Message made = message(Request::set_mem_table, payload);
  made.header.size = static_cast<uint32_t>(8 + regions.size() * sizeof(Region));
  return made;
}

inline Message one_region(uint64_t size = 16 * kMiB) {
  const Region region{0, size, kUserBase, 0};
  return table({&region, 1});
}

// The areas of a ring, one page or more apart, in the first region.
inline VringAddress ring_areas(uint32_t ring) {
  const uint64_t start = kUserBase + ring * 0x10000;
  return {ring, 0, start, start + 0x6000, start + 0x5000, 0};
}

}  // namespace vhost::door::test
