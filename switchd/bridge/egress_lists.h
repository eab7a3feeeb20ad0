// Which frames of the batch go to which port, in the order they came.
//
// Lists are handed out as ports turn up, so that a turn touches as many as it has receivers.
//
// Threads: belongs to one worker.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "bridge/topology.h"
#include "vhost/batch.h"

namespace bridge {

class EgressLists {
 public:
  void add(uint16_t port, uint16_t slot) noexcept {
    uint16_t list = list_of_[port];
    if (__builtin_expect(list == kNone, 0)) list = open(port);
    List& target = lists_[list];
    target.slots[target.size++] = slot;
  }

  unsigned count() const noexcept { return used_; }
  uint16_t port(unsigned list) const noexcept { return lists_[list].port; }
  std::span<const uint16_t> slots(unsigned list) const noexcept {
    return {lists_[list].slots.data(), lists_[list].size};
  }

  void clear() noexcept {
    for (unsigned i = 0; i < used_; ++i) list_of_[lists_[i].port] = kNone;
    used_ = 0;
  }

  EgressLists() { list_of_.fill(kNone); }

 private:
  static constexpr uint16_t kNone = 0xffff;
  struct List {
    uint16_t port;
    uint16_t size;
    std::array<uint16_t, vhost::Batch::kCapacity> slots;
  };

  uint16_t open(uint16_t port) noexcept {
    const uint16_t list = used_++;
    list_of_[port] = list;
    lists_[list].port = port;
    lists_[list].size = 0;
    return list;
  }

  uint16_t used_ = 0;
  std::array<uint16_t, Topology::kPorts> list_of_;
  std::array<List, Topology::kPorts> lists_;
};

}  // namespace bridge
