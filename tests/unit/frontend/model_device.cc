#include "model_device.h"

#include <algorithm>
#include <atomic>

#include "frontend/error.h"

namespace frontend {

template <typename T>
T* ModelDevice::at(uint64_t user_address) const {
  for (const MemoryRegion& region : memory_.table()) {
    const uint64_t offset = user_address - region.user_address;
    if (offset < region.size) {
      return reinterpret_cast<T*>(memory_.host(region.guest_address + offset));
    }
  }
  throw Error("model device: not a user address");
}

ModelDevice::ModelDevice(GuestMemory& memory, Ring& ring) : memory_(memory), size_(ring.size()) {
  const VringAddress address = ring.address(0);
  descriptors_ = at<Descriptor>(address.descriptors);
  available_ = at<uint16_t>(address.available);
  used_ = at<uint16_t>(address.used);
  used_ring_ = reinterpret_cast<UsedElement*>(used_ + 2);
}

std::optional<ModelDevice::Chain> ModelDevice::take() {
  if (available() == 0) return std::nullopt;
  Chain chain;
  chain.head = available_[2 + next_available_++ % size_];
  const Descriptor* table = descriptors_;
  uint16_t id = chain.head;
  if (table[id].flags & kDescriptorIndirect) {
    table = reinterpret_cast<Descriptor*>(memory_.host(table[id].address));
    id = 0;
  }
  for (;;) {
    chain.links.push_back(table[id]);
    if (chain.links.size() > size_) throw Error("model device: a chain without end");
    if ((table[id].flags & kDescriptorNext) == 0) return chain;
    id = table[id].next;
  }
}

std::vector<uint8_t> ModelDevice::read(const Chain& chain) const {
  std::vector<uint8_t> bytes;
  for (const Descriptor& link : chain.links) {
    const uint8_t* start = memory_.host(link.address);
    bytes.insert(bytes.end(), start, start + link.length);
  }
  return bytes;
}

void ModelDevice::use_batch(uint32_t id, uint32_t length, uint16_t count) {
  used_ring_[used_[1] % size_] = {id, length};
  std::atomic_ref(used_[1]).store(static_cast<uint16_t>(used_[1] + count),
                                  std::memory_order_release);
}

bool ModelDevice::deliver(const NetHeader& header, uint32_t header_size,
                          const std::vector<uint8_t>& frame) {
  const auto* raw = reinterpret_cast<const uint8_t*>(&header);
  std::vector<uint8_t> bytes(raw, raw + header_size);
  bytes.insert(bytes.end(), frame.begin(), frame.end());
  std::vector<std::pair<uint16_t, uint32_t>> used;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto chain = take();
    if (!chain) return false;
    uint32_t length = 0;
    for (const Descriptor& link : chain->links) {
      if ((link.flags & kDescriptorWrite) == 0) throw Error("model device: not writable");
      const auto part = std::min<std::size_t>(link.length, bytes.size() - done);
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(done), part,
                  memory_.host(link.address));
      done += part;
      length += static_cast<uint32_t>(part);
    }
    used.emplace_back(chain->head, length);
  }
  for (const auto& [id, length] : used) use(id, length);
  return true;
}

}  // namespace frontend
