// The forwarding database (IEEE 802.1Q-2018, 8.8): which port an address was last seen on.
//
// Layout. Buckets of one cache line, five entries each: five words of (address, port, static bit)
// and five stamps of the second the address was last seen. An address has two candidate buckets
// (two-choice hashing), so that a table for N addresses holds N with no chain to follow. The hash
// is keyed by secrets drawn at start: guests choose addresses, and must not choose buckets.
//
// Concurrency. A look-up takes no lock: a word is read and written whole. Everything that changes
// which address stands where takes one lock; on the frame path only a new or moved address does,
// and only by try-lock: when another thread holds it, the frame is forwarded and the next one
// learns. A reader may see an address a moment late or a moment too long, never a mixture.
//
// Rules beyond the standard, all decided in learn(): a port holds at most its mac_limit; a static
// address stays where it is; an address of a port that is not isolated never moves to one that is
// (a client cannot take the router's address); a port gets at most kMovesPerSecond addresses from
// others in a second (a loop or a spoofer cannot keep the table busy).
//
// Threads: look-up, touch and learn by any worker; the others by the main thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "bridge/mac_address.h"
#include "policy/port_rules.h"

namespace bridge {

inline constexpr unsigned kMaxPortIndex = 1024;
inline constexpr uint32_t kMovesPerSecond = 16;

enum class LearnResult : uint8_t {
  known,  // was there already, on this port
  learned,
  moved,
  moves_limited,  // stays where it was
  mac_limited,    // not learned
  table_full,     // not learned
  busy,           // not learned now: another thread is changing the table
  drop_static,    // configured on another port
  drop_protected  // belongs to a port that is not isolated, claimed by one that is
};

// An address's place: its port, and whether it is there to stay.
class MacPlace {
 public:
  constexpr MacPlace() = default;
  constexpr explicit MacPlace(uint64_t word) : word_(word) {}
  constexpr bool found() const { return word_ != 0; }
  constexpr uint16_t port() const { return static_cast<uint16_t>(word_ >> 48 & 0x3ff); }
  constexpr bool is_static() const { return (word_ >> 63) != 0; }

 private:
  uint64_t word_ = 0;
};

class MacTable {
 public:
  struct Entry {
    MacAddress address;
    uint16_t port;
    bool is_static;
    uint32_t seen;  // second of the clock passed to learn(); static ones have none
  };

  // Room for at least `addresses`.
  explicit MacTable(uint32_t addresses);

  MacPlace find(MacAddress address) const noexcept {
    const uint64_t hash = hash_of(address);
    const MacPlace place = find_in(buckets_[first_bucket(hash)], address.wire_bits());
    if (__builtin_expect(place.found(), 1)) return place;
    return find_in(buckets_[second_bucket(hash)], address.wire_bits());
  }

  void prefetch(MacAddress address) const noexcept {
    __builtin_prefetch(&buckets_[first_bucket(hash_of(address))]);
  }

  // `address` was seen as a source on `port` in second `now`. Not for group or zero addresses.
  // The common case, known and here, is decided inline.
  LearnResult learn(MacAddress address, uint16_t port, uint32_t now) noexcept {
    const uint64_t hash = hash_of(address);
    if (touch(buckets_[first_bucket(hash)], address, port, now)) return LearnResult::known;
    return learn_slowly(address, hash, port, now);
  }

  // What a port may do; before it is used. Its count of learned addresses starts at none.
  void set_port(uint16_t port, const policy::PortRules& rules);

  // False when there is no room. Replaces a learned entry; REQUIRES: no other static one.
  bool add_static(MacAddress address, uint16_t port);
  bool remove(MacAddress address);
  uint32_t flush_learned(const uint16_t* port);  // nullptr: of every port
  uint32_t flush_port(uint16_t port);            // its static ones as well
  uint32_t age(uint32_t now, uint32_t lifetime_s);

  void for_each(const std::function<void(const Entry&)>& visit) const;
  uint32_t learned_on(uint16_t port) const { return ports_[port].learned.load(); }
  uint32_t size() const { return size_.load(std::memory_order_relaxed); }
  uint32_t capacity() const { return capacity_; }

 private:
  static constexpr unsigned kWays = 5;
  struct alignas(64) Bucket {
    std::array<std::atomic<uint64_t>, kWays> word{};
    std::array<std::atomic<uint32_t>, kWays> seen{};
  };
  static_assert(sizeof(Bucket) == 64);

  struct PortState {
    std::atomic<uint32_t> learned{0};
    policy::PortRules rules;
    uint32_t moves_second = 0;  // the second that `moves` counts in; under the lock
    uint32_t moves = 0;
  };
  struct Slot {
    Bucket* bucket = nullptr;
    unsigned way = 0;
  };
  class Lock;

  static constexpr uint64_t kAddressMask = 0xffff'ffff'ffff;
  static constexpr uint64_t kStatic = uint64_t{1} << 63;
  static constexpr uint64_t word_of(MacAddress address, uint16_t port) {
    return address.wire_bits() | static_cast<uint64_t>(port) << 48;
  }

  uint64_t hash_of(MacAddress address) const noexcept {
    const uint64_t product = (address.wire_bits() ^ key_) * multiplier_;
    return product ^ product >> 32;
  }
  uint32_t first_bucket(uint64_t hash) const noexcept {
    return static_cast<uint32_t>(hash) & bucket_mask_;
  }
  uint32_t second_bucket(uint64_t hash) const noexcept {
    return static_cast<uint32_t>((hash * multiplier_) >> 32) & bucket_mask_;
  }

  // Buckets fill from the first way on, so that it holds most addresses of a table that is not
  // nearly full. The others are compared without branches: which one holds it nobody can predict.
  [[gnu::always_inline]] static MacPlace find_in(const Bucket& bucket, uint64_t address) noexcept {
    const uint64_t first = bucket.word[0].load(std::memory_order_relaxed);
    if (__builtin_expect(((first ^ address) & kAddressMask) == 0, 1)) return MacPlace(first);
    uint64_t found = 0;
#pragma GCC unroll 4
    for (unsigned way = 1; way < kWays; ++way) {
      const uint64_t word = bucket.word[way].load(std::memory_order_relaxed);
      found = ((word ^ address) & kAddressMask) == 0 ? word : found;
    }
    return MacPlace(found);
  }

  static bool touch(Bucket& bucket, MacAddress address, uint16_t port, uint32_t now) noexcept {
    const uint64_t wanted = word_of(address, port);
    for (unsigned way = 0; way < kWays; ++way) {
      if ((bucket.word[way].load(std::memory_order_relaxed) & ~kStatic) != wanted) continue;
      // Written once a second at the most: the line stays shared between workers.
      if (bucket.seen[way].load(std::memory_order_relaxed) != now) {
        bucket.seen[way].store(now, std::memory_order_relaxed);
      }
      return true;
    }
    return false;
  }

  LearnResult learn_slowly(MacAddress address, uint64_t hash, uint16_t port, uint32_t now) noexcept;
  LearnResult move(const Slot& slot, MacAddress address, uint16_t port, uint32_t now) noexcept;
  LearnResult insert(MacAddress address, uint64_t hash, uint16_t port, uint32_t now) noexcept;
  Slot slot_of(MacAddress address, uint64_t hash) noexcept;
  Slot free_slot(uint64_t hash) noexcept;
  void clear(Bucket& bucket, unsigned way) noexcept;
  template <typename Predicate>
  uint32_t clear_if(Predicate matches);

  std::unique_ptr<Bucket[]> buckets_;
  uint32_t bucket_mask_ = 0;
  uint32_t capacity_ = 0;
  uint64_t key_ = 0;
  uint64_t multiplier_ = 0;  // odd
  std::atomic<uint32_t> size_{0};
  std::atomic<bool> locked_{false};
  std::array<PortState, kMaxPortIndex> ports_;
};

}  // namespace bridge
