#include "sleep_model.h"

namespace datapath::test {

void Model::reset() {
  memory_ = {};
  memory_[kCurrent] = 1;
  memory_[kToken] = 1;
  memory_[kSeen] = 1;
  memory_[kRunning] = scenario_.starts ? 0 : 1;
  memory_[kEvent] = scenario_.event_idx ? 0xff : kNoKicks;  // passed long ago, or switched off
  for (auto& buffer : buffers_) buffer.clear();
  worker_at_ = consumed_ = driver_at_ = published_ = main_at_ = token_ = freed_ = 0;
  watched_ = !scenario_.starts;
  kicked_ = edge_ = false;
  plan_main();
  depth_ = 0;
}

void Model::plan_main() {
  plan_.clear();
  if (scenario_.starts) {
    plan_ = {Main::start, Main::watch};
    if (omitted(Without::watch)) plan_.pop_back();
    if (!omitted(Without::wake_after_start)) {
      plan_.insert(plan_.end(), {Main::set_woken, Main::ring_event});
    }
  }
  for (unsigned i = 0; i < scenario_.publishes; ++i) {
    plan_.insert(plan_.end(), {Main::publish, Main::synchronize, Main::free_old, Main::set_woken,
                               Main::ring_event});
  }
  if (scenario_.stops) plan_.insert(plan_.end(), {Main::stop, Main::set_woken, Main::ring_event});
}

// The worker's loop: a turn, then to sleep, until it is told to stop.
void Model::execute() {
  reset();
  try {
    while (true) {
      step(20);
      if (load(kWorker, kStop) != 0) return;
      turn(21);
      sleep_unless_work(*this);
    }
  } catch (const Finished&) {
  }
}

void Model::turn(uint8_t at) {
  on_running_ring(at, [this] { consumed_ = load(kWorker, kAvail); });
  turn_ended();
}

void Model::step(uint8_t at) {
  worker_at_ = at;
  while (true) {
    const std::vector<uint8_t> others = actions();
    if (others.empty()) return;
    const unsigned choice = choose(static_cast<unsigned>(others.size()) + 1);
    if (choice == 0) return;
    act(others[choice - 1]);
  }
}

void Model::wait() {
  ++sleeps_;
  worker_at_ = 7;
  while (!edge_) {
    const std::vector<uint8_t> others = actions();
    if (!others.empty()) {
      act(others[choose(static_cast<unsigned>(others.size()))]);
      continue;
    }
    // Nothing will ever happen again. Was it right to sleep?
    if (main_at_ < plan_.size()) fail("the main thread waits for a sleeping worker");
    if (memory_[kStop] != 0) fail("the worker sleeps and was told to stop");
    const bool waiting = memory_[kRunning] != 0 && memory_[kAvail] != consumed_;
    if (waiting) fail("the worker sleeps and a chain waits");
    throw Finished{};
  }
  step(7);
  edge_ = false;
}

uint8_t Model::load(Cpu cpu, Variable variable) const {
  const auto& buffer = buffers_[cpu];
  for (auto store = buffer.rbegin(); store != buffer.rend(); ++store) {
    if (store->variable == variable) return store->value;
  }
  return memory_[variable];
}

void Model::drain_one(Cpu cpu) {
  const Store first = buffers_[cpu].front();
  buffers_[cpu].pop_front();
  memory_[first.variable] = first.value;
}

std::vector<uint8_t> Model::actions() const {
  std::vector<uint8_t> all;
  for (uint8_t cpu = 0; cpu < kCpus; ++cpu) {
    if (!buffers_[cpu].empty()) all.push_back(cpu);
  }
  if (published_ < scenario_.chains || driver_at_ != 0) all.push_back(kCpus);
  if (main_may_step()) all.push_back(kCpus + 1);
  return all;
}

void Model::act(uint8_t action) {
  if (action < kCpus) return drain_one(static_cast<Cpu>(action));
  if (action == kCpus) return driver_step();
  main_step();
}

// A driver (virtio 1.2, 2.7.13): index, barrier, look, kick.
void Model::driver_step() {
  switch (driver_at_) {
    case 0:
      store(kDriver, kAvail, static_cast<uint8_t>(published_ + 1));
      break;
    case 1:
      if (!omitted(Without::driver_fence)) drain_all(kDriver);
      break;
    case 2: {
      const uint8_t event = load(kDriver, kEvent);
      const bool wanted = scenario_.event_idx ? event == published_ : event != kNoKicks;
      ++published_;
      if (wanted) break;
      driver_at_ = 0;
      return;
    }
    default:
      kicked_ = true;
      edge_ |= watched_;
      driver_at_ = 0;
      return;
  }
  ++driver_at_;
}

bool Model::main_may_step() const {
  if (main_at_ == plan_.size()) return false;
  if (plan_[main_at_] != Main::free_old) return true;
  const uint8_t seen = load(kMain, kSeen);
  return seen == kOffline || seen >= token_;
}

void Model::main_step() {
  switch (plan_[main_at_++]) {
    case Main::start:
      return store(kMain, kRunning, 1);
    case Main::watch:  // a counter that is not zero is an event at once
      watched_ = true;
      edge_ |= kicked_;
      return;
    case Main::set_woken:
      drain_all(kMain);
      memory_[kWoken] = 1;
      return;
    case Main::ring_event:
      edge_ |= !omitted(Without::own_event);
      return;
    case Main::publish:
      return store(kMain, kCurrent, static_cast<uint8_t>(load(kMain, kCurrent) + 1));
    case Main::synchronize:  // an atomic addition, then waiting (main_may_step)
      drain_all(kMain);
      token_ = ++memory_[kToken];
      return;
    case Main::free_old:
      freed_ = static_cast<uint8_t>(load(kMain, kCurrent) - 1);
      return;
    case Main::stop:
      return store(kMain, kStop, 1);
  }
}

unsigned Model::choose(unsigned options) {
  if (depth_ == trace_.size()) {
    if (!seen_.insert(state()).second) throw Finished{};
    trace_.push_back({0, options});
  }
  return trace_[depth_++].taken;
}

bool Model::next_trace() {
  while (!trace_.empty() && ++trace_.back().taken == trace_.back().options) trace_.pop_back();
  return !trace_.empty();
}

std::string Model::state() const {
  std::string all(memory_.begin(), memory_.end());
  for (const auto& buffer : buffers_) {
    for (const Store& store : buffer) {
      all += static_cast<char>(store.variable);
      all += static_cast<char>(store.value);
    }
    all += '|';
  }
  for (const uint8_t value :
       {worker_at_, consumed_, held_, driver_at_, published_, main_at_, token_, freed_}) {
    all += static_cast<char>(value);
  }
  all += static_cast<char>(watched_ | kicked_ << 1 | edge_ << 2);
  return all;
}

}  // namespace datapath::test
