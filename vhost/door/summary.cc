#include "vhost/door/summary.h"

#include <algorithm>
#include <cstdio>

namespace vhost::door {
namespace {

std::string ring(uint64_t index) {
  return "ring " + std::to_string(index);
}

std::string summarize_table(const Message& message) {
  const auto table = message.payload_as<RegionTable>();
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < std::min(table.count, kMaxRegions); ++i) bytes += table.regions[i].size;
  return std::to_string(table.count) + (table.count == 1 ? " region, " : " regions, ") +
         std::to_string(bytes >> 20) + " MiB";
}

std::string summarize_address(const Message& message) {
  const auto address = message.payload_as<VringAddress>();
  return ring(address.index) + ": descriptors " + hexadecimal(address.descriptors) + ", driver " +
         hexadecimal(address.available) + ", device " + hexadecimal(address.used) +
         (address.flags != 0 ? ", logged" : "");
}

std::string summarize_ring_file(const Message& message) {
  const auto value = message.payload_as<uint64_t>();
  return ring(value & kRingIndexMask) + ((value & kNoDescriptor) != 0 ? ": none" : "");
}

std::string summarize_log(const Message& message) {
  return std::to_string(message.payload_as<LogArea>().mmap_size) + " bytes";
}

}  // namespace

std::string hexadecimal(uint64_t value) {
  char text[19];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string summarize(const Message& message) {
  switch (message.request()) {
    case Request::set_features:
    case Request::set_protocol_features:
    case Request::send_rarp:
      return hexadecimal(message.payload_as<uint64_t>());
    case Request::net_set_mtu:
      return std::to_string(message.payload_as<uint64_t>());
    case Request::set_mem_table:
      return summarize_table(message);
    case Request::set_log_base:
      return summarize_log(message);
    case Request::set_vring_num:
    case Request::set_vring_base:
    case Request::set_vring_enable: {
      const auto state = message.payload_as<VringState>();
      return ring(state.index) + ": " + std::to_string(state.value);
    }
    case Request::get_vring_base:
      return ring(message.payload_as<VringState>().index);
    case Request::set_vring_addr:
      return summarize_address(message);
    case Request::set_vring_kick:
    case Request::set_vring_call:
    case Request::set_vring_err:
      return summarize_ring_file(message);
    default:
      return {};
  }
}

}  // namespace vhost::door
