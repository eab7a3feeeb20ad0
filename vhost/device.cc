#include "vhost/device.h"

#include <fcntl.h>
#include <rte_vhost.h>
#include <sys/stat.h>

#include <cstdlib>

#include "vhost/memory_guard.h"

namespace vhost {
namespace {

// Requests that move what a running ring stands on (vhost-user specification, "Front-end message
// types"). The library gives no callback of its own for them, or one before it changes anything.
constexpr uint32_t kSetFeatures = 2;  // on a running device VHOST_F_LOG_ALL alone changes
constexpr uint32_t kResetOwner = 4;
constexpr uint32_t kSetMemTable = 5;
constexpr uint32_t kSetLogBase = 6;
constexpr uint32_t kSetVringAddr = 9;

bool transmits(size_t number) {
  return number % 2 == 1;
}

bool moves_the_ground(uint32_t request) {
  return request == kSetFeatures || request == kSetMemTable || request == kSetLogBase ||
         request == kSetVringAddr;
}

UniqueFd duplicate(int fd) {
  return UniqueFd(fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

size_t page_bytes_of(int fd) {
  struct stat facts = {};
  constexpr size_t kSmallPage = 4096;
  if (fd < 0 || fstat(fd, &facts) != 0 || facts.st_blksize <= 0) return kSmallPage;
  return static_cast<size_t>(facts.st_blksize);
}

}  // namespace

Device::Device(Poller& poller, uint16_t port, std::span<TransmitRing> transmit,
               std::span<ReceiveRing> receive, Observer observer)
    : poller_(poller),
      port_(port),
      observer_(std::move(observer)),
      transmit_(transmit),
      receive_(receive),
      queues_(2 * transmit.size()) {
  for (size_t pair = 0; pair < transmit.size(); ++pair) {
    queues_[2 * pair].ring = &receive[pair];
    queues_[2 * pair + 1].ring = &transmit[pair];
  }
  for (auto& guard : guards_) guard = -1;
}

Device::~Device() {
  closed();
}

void Device::opened(int vid) {
  vid_ = vid;
  ready_ = false;
  paused_ = false;
  memory_lost_ = false;
  log_given_ = false;
  for (Queue& queue : queues_) queue.enabled = false;
}

void Device::ready() {
  ready_ = true;
  rte_vhost_get_negotiated_features(vid_, &features_);
  observer_.attached(features_);
  start_all();
}

void Device::gone() {
  if (!ready_) return;
  stop(kAll);
  ready_ = false;
  log_given_ = false;
  observer_.detached();
}

void Device::ring_state(uint16_t queue, bool enabled) {
  if (queue >= queues_.size()) return;
  queues_[queue].enabled = enabled;
  if (!enabled) return stop(Rings{1} << queue);
  // An eventfd was replaced: state 0, then 1. Or one ring was enabled later than the others.
  if (ready_ && !paused_) start_all();
}

void Device::before_message(uint32_t request) {
  if (request == kResetOwner) log_given_ = false;  // unmapped, and the library forgets to say so
  if (!moves_the_ground(request)) return;
  paused_ = true;
  if (request == kSetMemTable) memory_lost_ = true;
  stop(kAll);
  drop_memory();
}

void Device::after_message(uint32_t request) {
  if (!moves_the_ground(request)) return;
  paused_ = false;
  if (request == kSetMemTable) memory_lost_ = false;
  note_log(request);
  if (ready_) start_all();
}

void Device::note_log(uint32_t request) {
  if (request == kSetLogBase) log_given_ = true;
  if (request != kSetFeatures) return;
  rte_vhost_get_negotiated_features(vid_, &features_);
  if (!must_log()) log_given_ = false;
}

void Device::closed() {
  gone();
  stop(kAll);
  drop_memory();
  vid_ = -1;
}

bool Device::torn() const noexcept {
  for (const auto& guard : guards_) {
    if (memory_guard::torn(guard.load(std::memory_order_relaxed))) return true;
  }
  return false;
}

void Device::start_all() {
  if (memory_lost_ || (memory_ == nullptr && !load_memory())) {
    return observer_.faulted("its memory table cannot be used");
  }
  if (must_log() && !log_ && !load_log()) return;
  for (uint16_t number = 0; number < queues_.size(); ++number) {
    Queue& queue = queues_[number];
    if (!queue.enabled || queue.started) continue;
    const std::string error = start(number);
    queue.started = error.empty();
    if (queue.started) continue;
    queue.call.reset();
    queue.kick.reset();
    observer_.faulted(name_of(number) + error);
  }
  use_started();
}

std::string Device::name_of(uint16_t number) const {
  const std::string kind = transmits(number) ? "transmit ring " : "receive ring ";
  return kind + std::to_string(number / 2) + ": ";
}

std::string Device::start(uint16_t number) {
  Queue& queue = queues_[number];
  rte_vhost_vring ring = {};
  uint16_t next_avail = 0;
  uint16_t next_used = 0;
  if (rte_vhost_get_vhost_vring(vid_, number, &ring) != 0 ||
      rte_vhost_get_vring_base(vid_, number, &next_avail, &next_used) != 0) {
    return "not set up";
  }
  queue.call = duplicate(ring.callfd);
  queue.kick = duplicate(ring.kickfd);
  if ((ring.callfd >= 0 && !queue.call) || (ring.kickfd >= 0 && !queue.kick)) {
    return "no descriptors left for its eventfds; raise the limit of open files (ulimit -n)";
  }
  const RingAreas areas = {ring.desc, ring.avail, ring.used, ring.size};
  std::string error =
      queue.ring->attach(areas, {next_avail, next_used}, features_, *memory_, queue.call.get());
  if (!error.empty()) return error;
  if (transmits(number) && !poller_.watch_kicks(port_, number / 2, queue.kick.get())) {
    return "its kicks cannot be waited for; raise fs.epoll.max_user_watches (sysctl)";
  }
  queue.ring->set_running(true);
  return {};
}

void Device::use_started() {
  RunningRings rings;
  for (size_t pair = 0; pair < transmit_.size(); ++pair) {
    if (queues_[2 * pair].started) rings.receive[pair] = &receive_[pair];
    if (queues_[2 * pair + 1].started) rings.transmit[pair] = &transmit_[pair];
  }
  poller_.use_rings(port_, rings);
}

void Device::stop(Rings which) {
  Rings stopping = 0;
  for (uint16_t number = 0; number < queues_.size(); ++number) {
    Queue& queue = queues_[number];
    if (!queue.started || (which >> number & 1) == 0) continue;
    stopping |= Rings{1} << number;
    queue.started = false;
  }
  if (stopping == 0) return;
  use_started();
  for (uint16_t number = 0; number < queues_.size(); ++number) {
    if ((stopping >> number & 1) != 0) finish(number);
  }
}

// What is left to do with a ring that nobody uses any more.
void Device::finish(uint16_t number) {
  Queue& queue = queues_[number];
  queue.ring->set_running(false);
  if (transmits(number)) poller_.unwatch_kicks(port_, number / 2, queue.kick.get());
  const RingPosition position = queue.ring->position();
  rte_vhost_set_vring_base(vid_, number, position.next_avail, position.next_used);
  queue.call.reset();
  queue.kick.reset();
}

bool Device::load_memory() {
  rte_vhost_memory* table = nullptr;
  if (rte_vhost_get_mem_table(vid_, &table) != 0 || table == nullptr) return false;
  const std::unique_ptr<rte_vhost_memory, decltype(&std::free)> owner(table, &std::free);
  memory_ = std::make_unique<GuestMemory>();
  for (uint32_t i = 0; i < table->nregions && i < GuestMemory::kMaxRegions; ++i) {
    const rte_vhost_mem_region& region = table->regions[i];
    memory_->add(
        {region.guest_phys_addr, region.size, reinterpret_cast<uint8_t*>(region.host_user_addr)});
    guards_[i] =
        memory_guard::protect(region.mmap_addr, region.mmap_size, page_bytes_of(region.fd));
  }
  return true;
}

// False: there is none yet, or it is too short for the memory that the guest has by now.
bool Device::load_log() {
  uint64_t base = 0;
  uint64_t bytes = 0;
  if (!log_given_ || rte_vhost_get_log_base(vid_, &base, &bytes) != 0) return false;
  const DirtyLog log(reinterpret_cast<uint8_t*>(base), bytes);
  if (base == 0 || !log.covers(memory_->highest())) return false;
  log_ = log;
  memory_->set_log(&*log_);
  guards_[kLogGuard] =
      memory_guard::protect(reinterpret_cast<void*>(base), bytes, DirtyLog::kPageBytes);
  return true;
}

void Device::drop_memory() {
  for (auto& guard : guards_) {
    memory_guard::release(guard);
    guard = -1;
  }
  memory_.reset();
  log_.reset();
}

}  // namespace vhost
