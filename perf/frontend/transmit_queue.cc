#include "frontend/transmit_queue.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "frontend/error.h"

namespace frontend {
namespace {

constexpr std::size_t kPoisonGap = 24;
constexpr int kPoison = 0xee;

}  // namespace

TransmitQueue::TransmitQueue(Ring& ring, GuestMemory& memory, const TransmitOptions& options)
    : ring_(ring),
      memory_(memory),
      options_(options),
      buffers_(ring.size()),
      tables_(ring.size()),
      members_(ring.size()) {
  for (uint16_t id = 0; id < ring.size(); ++id) free_.push_back(id);
}

std::size_t TransmitQueue::buffer_size() const {
  return options_.header_size + options_.max_frame + (options_.max_links + 1) * kPoisonGap;
}

bool TransmitQueue::send(std::span<const uint8_t> frame, const ChainShape& shape,
                         const NetHeader& header) {
  const std::size_t links = shape.cuts.size() + 1;
  if (frame.size() > options_.max_frame) throw Error("a frame above the queue's max_frame");
  if (links > options_.max_links) throw Error("a chain above the queue's max_links");
  if (!has_room(shape)) return false;

  std::vector<uint8_t> whole(options_.header_size + frame.size());
  std::memcpy(whole.data(), &header, options_.header_size);
  std::copy(frame.begin(), frame.end(), whole.begin() + options_.header_size);

  uint8_t*& buffer = buffers_[free_.front()];
  if (buffer == nullptr) buffer = memory_.allocate(buffer_size(), 1);
  std::memset(buffer, kPoison, buffer_size());
  std::vector<Descriptor> chain;
  std::size_t done = 0;
  uint8_t* place = buffer;
  for (std::size_t i = 0; i < links; ++i) {
    const std::size_t rest = whole.size() - done;
    const std::size_t length = i + 1 < links ? std::min<std::size_t>(shape.cuts[i], rest) : rest;
    std::memcpy(place, whole.data() + done, length);
    chain.push_back({memory_.guest_address(place), static_cast<uint32_t>(length), 0, 0});
    done += length;
    place += length + kPoisonGap;
  }
  return post(chain, shape.indirect).has_value();
}

std::optional<uint16_t> TransmitQueue::post(std::span<const Descriptor> links, bool indirect) {
  const std::size_t wanted = indirect ? 1 : links.size();
  if (links.empty() || free_.size() < wanted) return std::nullopt;
  std::vector<uint16_t> ids(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(wanted));
  free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(wanted));
  const uint16_t head = ids.front();
  if (indirect) {
    put_indirect(links, head);
  } else {
    put_direct(links, ids);
  }
  members_[head] = std::move(ids);
  ring_.set_available(unpublished_++, head);
  in_flight_.push_back(head);
  return head;
}

void TransmitQueue::put_direct(std::span<const Descriptor> links, std::span<const uint16_t> ids) {
  for (std::size_t i = 0; i < links.size(); ++i) {
    Descriptor descriptor = links[i];
    if (i + 1 < links.size()) {
      descriptor.flags |= kDescriptorNext;
      descriptor.next = ids[i + 1];
    }
    ring_.descriptors()[ids[i]] = descriptor;
  }
}

void TransmitQueue::put_indirect(std::span<const Descriptor> links, uint16_t id) {
  if (links.size() > options_.max_links) throw Error("an indirect table above max_links");
  Descriptor*& table = tables_[id];
  if (table == nullptr) {
    table = reinterpret_cast<Descriptor*>(
        memory_.allocate(sizeof(Descriptor) * options_.max_links, 16));
  }
  for (std::size_t i = 0; i < links.size(); ++i) {
    Descriptor link = links[i];
    if (i + 1 != links.size()) {
      link.flags |= kDescriptorNext;
      link.next = static_cast<uint16_t>(i + 1);
    }
    table[i] = ring_.in_table(link);
  }
  ring_.descriptors()[id] = {memory_.guest_address(table),
                             static_cast<uint32_t>(sizeof(Descriptor) * links.size()),
                             kDescriptorIndirect, 0};
}

void TransmitQueue::publish() {
  ring_.publish(unpublished_);
  unpublished_ = 0;
}

void TransmitQueue::give_back(uint16_t head) {
  free_.insert(free_.end(), members_[head].begin(), members_[head].end());
  members_[head].clear();
  ++completed_;
}

std::size_t TransmitQueue::reclaim() {
  const uint64_t before = completed_;
  while (ring_.pending() != 0) {
    const UsedElement used = ring_.used(0);
    const auto found = std::find(in_flight_.begin(), in_flight_.end(), used.id);
    if (found == in_flight_.end()) {
      throw Error("the device returned a transmit chain that was not sent: id " +
                  std::to_string(used.id));
    }
    if (ring_.in_order()) {  // one entry may stand for all chains up to its own
      const auto batch = static_cast<uint16_t>(found - in_flight_.begin() + 1);
      for (uint16_t i = 0; i < batch; ++i) give_back(in_flight_[i]);
      in_flight_.erase(in_flight_.begin(), in_flight_.begin() + batch);
      ring_.consume(batch);
    } else {
      give_back(*found);
      in_flight_.erase(found);
      ring_.consume(1);
    }
  }
  ring_.rearm();
  return completed_ - before;
}

}  // namespace frontend
