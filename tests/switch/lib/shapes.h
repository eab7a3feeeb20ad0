// The shapes in which a driver may lay a frame out in descriptors (virtio 1.2, 2.7.5, 5.1.6.2), and
// the buffers it may post for frames to come (5.1.6.3): by name, and at random.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "frontend/guest.h"

namespace testbed {

struct NamedShape {
  std::string name;
  frontend::ChainShape shape;
};
// For a header of that many bytes. No chain has more than 16 links.
std::vector<NamedShape> chain_shapes(uint32_t header_size, bool indirect);
// 1 to 16 links, cut anywhere, in a table of its own half of the time.
frontend::ChainShape random_shape(std::mt19937_64& random, uint32_t total, bool indirect);

// A guest driver's habits: features and receive buffers.
struct Driver {
  std::string name;
  uint64_t features = 0;
  std::vector<uint32_t> buffers;  // links of one receive buffer
  bool indirect_buffers = false;
  frontend::MessageOrder order = frontend::MessageOrder::cloud_hypervisor;
  bool reply_ack = true;
  bool packed = false;  // rings: for ports that offer them

  void apply(frontend::GuestOptions& options) const;
};
// Each takes frames of up to 9014 bytes.
const std::vector<Driver>& drivers();
const std::vector<Driver>& packed_drivers();

}  // namespace testbed
