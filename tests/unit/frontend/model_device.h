// The device's side of split rings, as simple as the specification allows: the measure for the
// front-end's driver side. It runs when told to, on the caller's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "frontend/guest_memory.h"
#include "frontend/protocol.h"
#include "frontend/ring.h"

namespace frontend {

class ModelDevice {
 public:
  struct Chain {
    uint16_t head = 0;
    std::vector<Descriptor> links;
  };

  ModelDevice(GuestMemory& memory, Ring& ring);

  uint16_t available() const { return static_cast<uint16_t>(available_[1] - next_available_); }
  // The next available chain, indirect tables resolved. Nothing: the ring is empty.
  std::optional<Chain> take();
  std::vector<uint8_t> read(const Chain& chain) const;
  // Returns a chain; visible at once.
  void use(uint32_t id, uint32_t length) { use_batch(id, length, 1); }
  // One entry for `count` chains, as IN_ORDER allows (virtio 1.2, 2.7.9).
  void use_batch(uint32_t id, uint32_t length, uint16_t count);
  // Writes header and frame into as many chains of this ring as they need. False: too few.
  bool deliver(const NetHeader& header, uint32_t header_size, const std::vector<uint8_t>& frame);

  void set_no_notify(bool on) { used_[0] = on ? kNoNotify : uint16_t{0}; }
  void set_available_event(uint16_t index) {
    *reinterpret_cast<uint16_t*>(used_ring_ + size_) = index;
  }
  uint16_t used_event() const { return available_[2 + size_]; }
  uint16_t available_flags() const { return available_[0]; }

 private:
  template <typename T>
  T* at(uint64_t user_address) const;

  GuestMemory& memory_;
  uint16_t size_;
  Descriptor* descriptors_;
  uint16_t* available_;
  uint16_t* used_;
  UsedElement* used_ring_;
  uint16_t next_available_ = 0;
};

}  // namespace frontend
