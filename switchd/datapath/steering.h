// Which receive queue of a guest with several a frame goes to.
//
// By its flow: the hash of its addresses and ports over as many queues as the guest has running. A
// flow stays on one queue for as long as the same queues run, and in the order in which its frames
// came; when queues start or stop, flows move.
//
// Not by the queue on which the guest last sent a frame of the same conversation, which virtio 1.2
// (5.1.6.5.5) recommends and Linux does for tap devices: that moves a flow whenever the guest's
// scheduler moves the thread that sends, which is when frames overtake each other, and costs a
// table for each guest, written by all workers with every frame that it sends. The hash is
// symmetric, so that both directions of a conversation between equals use queues of one number.
//
// A queue that the driver has never filled is passed over while another has been: a driver with
// fewer queues than its device leaves the others empty, and cloud-hypervisor does not disable them.
//
// Threads: belongs to one worker.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "bridge/flow_hash.h"
#include "datapath/snapshot.h"
#include "vhost/batch.h"

namespace datapath {

class Steering {
 public:
  // The key is the same for all workers, or a flow's queue would depend on who polls its sender.
  explicit Steering(uint64_t key) : key_(key) {}

  // Parts the frames among `receivers`; each part is in the order of `slots`. REQUIRES: there is
  // a receiver, and slots are no more than a batch has.
  void part(const vhost::Batch& batch, std::span<const uint16_t> slots,
            const RingSet<vhost::ReceiveRing>& receivers) noexcept {
    choose(receivers);
    std::array<uint16_t, vhost::kMaxQueuePairs> end{};
    for (size_t i = 0; i < slots.size(); ++i) {
      const uint64_t hash = bridge::flow_hash(batch, slots[i], key_);
      queue_[i] = static_cast<uint8_t>(hash * chosen_.count >> 32);
      ++end[queue_[i]];
    }
    uint16_t sum = 0;
    for (unsigned queue = 0; queue < chosen_.count; ++queue) {
      begin_[queue] = sum;
      sum = static_cast<uint16_t>(sum + end[queue]);
      end[queue] = begin_[queue];
    }
    begin_[chosen_.count] = sum;
    for (size_t i = 0; i < slots.size(); ++i) sorted_[end[queue_[i]]++] = slots[i];
  }

  unsigned queues() const noexcept { return chosen_.count; }
  vhost::ReceiveRing& ring(unsigned queue) const noexcept { return *chosen_.ring[queue]; }
  std::span<const uint16_t> slots(unsigned queue) const noexcept {
    return {&sorted_[begin_[queue]], &sorted_[begin_[queue + 1]]};
  }

 private:
  void choose(const RingSet<vhost::ReceiveRing>& receivers) noexcept {
    chosen_.count = 0;
    for (unsigned i = 0; i < receivers.count; ++i) {
      vhost::ReceiveRing* ring = receivers.ring[i];
      if (ring->running() && ring->ever_filled()) chosen_.add(ring);
    }
    if (chosen_.count == 0) chosen_ = receivers;
  }

  const uint64_t key_;
  RingSet<vhost::ReceiveRing> chosen_;
  std::array<uint8_t, vhost::Batch::kCapacity> queue_;
  std::array<uint16_t, vhost::kMaxQueuePairs + 1> begin_{};
  std::array<uint16_t, vhost::Batch::kCapacity + 1> sorted_;
};

}  // namespace datapath
