#include "bridge/mac_table.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <random>

namespace bridge {

// Held for a few hundred cycles on the frame path, and by the main thread for one bucket at a time.
class MacTable::Lock {
 public:
  explicit Lock(std::atomic<bool>& flag) noexcept : flag_(flag) {
    while (flag_.exchange(true, std::memory_order_acquire)) {
      while (flag_.load(std::memory_order_relaxed)) __builtin_ia32_pause();
    }
    owned_ = true;
  }
  Lock(std::atomic<bool>& flag, std::try_to_lock_t) noexcept
      : flag_(flag), owned_(!flag.exchange(true, std::memory_order_acquire)) {}
  ~Lock() {
    if (owned_) flag_.store(false, std::memory_order_release);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  bool owned() const noexcept { return owned_; }

 private:
  std::atomic<bool>& flag_;
  bool owned_ = false;
};

// Half-full buckets on average: with two choices of five ways nothing overflows.
MacTable::MacTable(uint32_t addresses) : capacity_(std::max<uint32_t>(addresses, 16)) {
  const uint32_t buckets = std::bit_ceil((capacity_ * 2 + kWays - 1) / kWays);
  bucket_mask_ = buckets - 1;
  buckets_ = std::make_unique<Bucket[]>(buckets);
  std::random_device random;
  const auto draw = [&random] { return uint64_t{random()} << 32 | random(); };
  key_ = draw();
  multiplier_ = draw() | 1;
}

void MacTable::set_port(uint16_t port, const policy::PortRules& rules) {
  const Lock lock(locked_);
  ports_[port].rules = rules;
  ports_[port].moves = 0;
}

MacTable::Slot MacTable::slot_of(MacAddress address, uint64_t hash) noexcept {
  for (const uint32_t index : {first_bucket(hash), second_bucket(hash)}) {
    Bucket& bucket = buckets_[index];
    for (unsigned way = 0; way < kWays; ++way) {
      const uint64_t word = bucket.word[way].load(std::memory_order_relaxed);
      if ((word & kAddressMask) == address.wire_bits()) return {&bucket, way};
    }
  }
  return {};
}

// In the first bucket, where a look-up begins, while it has plenty of room; else in the emptier
// one.
MacTable::Slot MacTable::free_slot(uint64_t hash) noexcept {
  constexpr unsigned kPlenty = 3;
  Slot best;
  unsigned most = 0;
  for (const uint32_t index : {first_bucket(hash), second_bucket(hash)}) {
    Bucket& bucket = buckets_[index];
    unsigned empty = 0;
    unsigned first = 0;
    for (unsigned way = kWays; way-- > 0;) {
      if (bucket.word[way].load(std::memory_order_relaxed) != 0) continue;
      ++empty;
      first = way;
    }
    if (empty > most) {
      most = empty;
      best = {&bucket, first};
    }
    if (most >= kPlenty) break;
  }
  return best;
}

LearnResult MacTable::learn_slowly(MacAddress address, uint64_t hash, uint16_t port,
                                   uint32_t now) noexcept {
  if (touch(buckets_[second_bucket(hash)], address, port, now)) return LearnResult::known;
  const MacPlace place = find(address);
  if (place.found()) {
    // Decided before the lock, so that a flood of forged addresses costs no lock each.
    if (place.is_static()) {
      return place.port() == port ? LearnResult::known : LearnResult::drop_static;
    }
    if (ports_[port].rules.isolated && !ports_[place.port()].rules.isolated) {
      return LearnResult::drop_protected;
    }
  } else if (ports_[port].learned.load(std::memory_order_relaxed) >= ports_[port].rules.mac_limit) {
    return LearnResult::mac_limited;
  }
  const Lock lock(locked_, std::try_to_lock);
  if (!lock.owned()) return LearnResult::busy;
  const Slot slot = slot_of(address, hash);
  return slot.bucket != nullptr ? move(slot, address, port, now) : insert(address, hash, port, now);
}

LearnResult MacTable::move(const Slot& slot, MacAddress address, uint16_t port,
                           uint32_t now) noexcept {
  const MacPlace place(slot.bucket->word[slot.way].load(std::memory_order_relaxed));
  PortState& to = ports_[port];
  PortState& from = ports_[place.port()];
  if (place.port() == port) return LearnResult::known;
  if (place.is_static()) return LearnResult::drop_static;
  if (to.rules.isolated && !from.rules.isolated) return LearnResult::drop_protected;
  if (to.learned.load(std::memory_order_relaxed) >= to.rules.mac_limit) {
    return LearnResult::mac_limited;
  }
  if (to.moves_second != now) {
    to.moves_second = now;
    to.moves = 0;
  }
  if (to.moves >= kMovesPerSecond) return LearnResult::moves_limited;
  ++to.moves;
  slot.bucket->seen[slot.way].store(now, std::memory_order_relaxed);
  slot.bucket->word[slot.way].store(word_of(address, port), std::memory_order_release);
  from.learned.fetch_sub(1, std::memory_order_relaxed);
  to.learned.fetch_add(1, std::memory_order_relaxed);
  return LearnResult::moved;
}

LearnResult MacTable::insert(MacAddress address, uint64_t hash, uint16_t port,
                             uint32_t now) noexcept {
  PortState& state = ports_[port];
  if (state.learned.load(std::memory_order_relaxed) >= state.rules.mac_limit) {
    return LearnResult::mac_limited;
  }
  const Slot slot = free_slot(hash);
  if (slot.bucket == nullptr || size() >= capacity_) return LearnResult::table_full;
  slot.bucket->seen[slot.way].store(now, std::memory_order_relaxed);
  slot.bucket->word[slot.way].store(word_of(address, port), std::memory_order_release);
  state.learned.fetch_add(1, std::memory_order_relaxed);
  size_.fetch_add(1, std::memory_order_relaxed);
  return LearnResult::learned;
}

bool MacTable::add_static(MacAddress address, uint16_t port) {
  if (address.is_zero()) return false;
  const Lock lock(locked_);
  const uint64_t hash = hash_of(address);
  Slot slot = slot_of(address, hash);
  if (slot.bucket != nullptr) clear(*slot.bucket, slot.way);
  slot = free_slot(hash);
  if (slot.bucket == nullptr || size() >= capacity_) return false;
  slot.bucket->word[slot.way].store(word_of(address, port) | kStatic, std::memory_order_release);
  size_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void MacTable::clear(Bucket& bucket, unsigned way) noexcept {
  const MacPlace place(bucket.word[way].load(std::memory_order_relaxed));
  bucket.word[way].store(0, std::memory_order_release);
  if (!place.is_static()) ports_[place.port()].learned.fetch_sub(1, std::memory_order_relaxed);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

bool MacTable::remove(MacAddress address) {
  if (address.is_zero()) return false;  // what empty entries look like
  const Lock lock(locked_);
  const Slot slot = slot_of(address, hash_of(address));
  if (slot.bucket == nullptr) return false;
  clear(*slot.bucket, slot.way);
  return true;
}

// The lock is let go after each bucket: a worker that wants to learn finds it free nearly always.
template <typename Predicate>
uint32_t MacTable::clear_if(Predicate matches) {
  uint32_t cleared = 0;
  for (uint32_t index = 0; index <= bucket_mask_; ++index) {
    Bucket& bucket = buckets_[index];
    for (unsigned way = 0; way < kWays; ++way) {
      if (bucket.word[way].load(std::memory_order_relaxed) == 0) continue;
      const Lock lock(locked_);
      const uint64_t word = bucket.word[way].load(std::memory_order_relaxed);
      const uint32_t seen = bucket.seen[way].load(std::memory_order_relaxed);
      if (word == 0 || !matches(MacPlace(word), seen)) continue;
      clear(bucket, way);
      ++cleared;
    }
  }
  return cleared;
}

uint32_t MacTable::flush_learned(const uint16_t* port) {
  return clear_if([port](MacPlace place, uint32_t) {
    return !place.is_static() && (port == nullptr || place.port() == *port);
  });
}

uint32_t MacTable::flush_port(uint16_t port) {
  return clear_if([port](MacPlace place, uint32_t) { return place.port() == port; });
}

uint32_t MacTable::age(uint32_t now, uint32_t lifetime_s) {
  return clear_if([now, lifetime_s](MacPlace place, uint32_t seen) {
    // A worker may have stamped a second that the caller has not reached yet.
    const auto unseen = static_cast<int32_t>(now - seen);
    return !place.is_static() && unseen >= 0 && static_cast<uint32_t>(unseen) >= lifetime_s;
  });
}

void MacTable::for_each(const std::function<void(const Entry&)>& visit) const {
  for (uint32_t index = 0; index <= bucket_mask_; ++index) {
    const Bucket& bucket = buckets_[index];
    for (unsigned way = 0; way < kWays; ++way) {
      const uint64_t word = bucket.word[way].load(std::memory_order_acquire);
      if (word == 0) continue;
      const MacPlace place(word);
      visit({MacAddress::from_wire_bits(word), place.port(), place.is_static(),
             bucket.seen[way].load(std::memory_order_relaxed)});
    }
  }
}

}  // namespace bridge
