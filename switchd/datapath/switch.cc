#include "datapath/switch.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <sched.h>

#include <algorithm>
#include <bitset>
#include <ctime>

#include "vhost/backend.h"
#include "vhost/memory_guard.h"

namespace datapath {
namespace {

// DPDK's heap: some 80 KiB for each attached pair of rings of 1024 entries, so 1.3 MiB for a guest
// with 16 pairs; no guest may leave the others without. Only touched pages count.
constexpr unsigned kHeapMib = 384;
// A look through the table now and then; an address lives at most this share of its time longer.
constexpr uint32_t kAgeingSteps = 30;

// Where the main thread and DPDK's may run: not where workers poll, if there is anywhere else.
std::vector<int> cpus_for_control(const std::vector<int>& workers) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof(allowed), &allowed);
  std::vector<int> others;
  std::vector<int> all;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    all.push_back(cpu);
    if (std::find(workers.begin(), workers.end(), cpu) == workers.end()) others.push_back(cpu);
  }
  return others.empty() ? all : others;
}

uint64_t start_backend(const SwitchSettings& settings) {
  try {
    vhost::backend::init(cpus_for_control(settings.workers), kHeapMib);
  } catch (const vhost::backend::BackendError& error) {
    throw SwitchError(error.what());
  }
  vhost::memory_guard::install();
  return rte_get_tsc_hz();
}

}  // namespace

Switch::Switch(boost::asio::io_context& loop, SwitchSettings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      level_(choose_cpu_level(settings_.cpu_level)),
      runtime_dir_(settings_.runtime_dir),
      table_(settings_.mac_table_size),
      tsc_hz_(start_backend(settings_)),
      workers_(std::make_unique<Workers>(settings_, level_, tsc_hz_, table_, now_)),
      second_(loop),
      watch_(loop) {
  expect_tick();
  expect_watch();
}

// No frame is taken any more before the first port goes, or it would have nowhere to go to. Ports
// before workers: their rings stop while workers still report quiescent states.
Switch::~Switch() {
  handler_ = nullptr;
  for (const auto& [name, port] : ports_) workers_->release(port->index());
  publish();
  while (!ports_.empty()) remove_port(std::string(ports_.begin()->first), true);
}

void Switch::check_new(const PortSettings& settings) const {
  if (ports_.contains(settings.name)) {
    throw SwitchError("port " + settings.name + " exists already; remove it first");
  }
  for (const auto& [name, port] : ports_) {
    if (port->settings().socket != settings.socket) continue;
    throw SwitchError("port " + settings.name + ": socket " + settings.socket.string() +
                      " is that of port " + name);
  }
  if (ports_.size() >= kMaxPorts) {
    throw SwitchError("port " + settings.name + ": there are " + std::to_string(kMaxPorts) +
                      " ports already, which is the most");
  }
}

uint16_t Switch::free_index() const {
  std::bitset<bridge::Topology::kPorts> used;
  for (const auto& [name, port] : ports_) used[port->index()] = true;
  uint16_t index = 0;
  while (used[index]) ++index;
  return index;
}

void Switch::add_port(const PortSettings& settings) {
  check_new(settings);
  const uint16_t index = free_index();
  table_.set_port(index, settings.rules);
  workers_->clear_counters(index);
  workers_->assign(index);
  try {
    ports_[settings.name] = std::make_unique<Port>(
        loop_, *workers_, index, settings, runtime_dir_.socket_for(index),
        [this, name = settings.name](Event::Kind kind, const std::string& detail) {
          report(kind, name, detail);
        },
        [this, index](bridge::MacAddress address) { workers_->announce(index, address); });
  } catch (const std::exception& error) {
    ports_.erase(settings.name);
    workers_->release(index);
    throw SwitchError("port " + settings.name + ": " + error.what());
  }
  publish();
  report(Event::Kind::port_added, settings.name, settings.socket.string());
}

void Switch::remove_port(const std::string& name, bool force) {
  const Port& port = find(name);
  if (port.attached() && !force) {
    throw SwitchError("port " + name + " has a guest attached; force its removal, or detach it");
  }
  const uint16_t index = port.index();
  auto node = ports_.extract(name);
  workers_->release(index);
  publish();
  node.mapped().reset();
  table_.flush_port(index);
  report(Event::Kind::port_removed, name, {});
}

void Switch::publish() {
  std::vector<bridge::TopologyPort> ports;
  for (const auto& [name, port] : ports_) {
    ports.push_back({port->index(), port->settings().rules});
  }
  workers_->publish(bridge::Topology(ports));
}

const Port& Switch::find(const std::string& name) const {
  const auto found = ports_.find(name);
  if (found == ports_.end()) throw SwitchError("there is no port " + name);
  return *found->second;
}

std::string Switch::name_of(uint16_t index) const {
  for (const auto& [name, port] : ports_) {
    if (port->index() == index) return name;
  }
  return {};
}

std::vector<PortInfo> Switch::ports() const {
  std::array<uint32_t, bridge::Topology::kPorts> macs{};
  table_.for_each([&macs](const bridge::MacTable::Entry& entry) { ++macs[entry.port]; });
  std::vector<PortInfo> all;
  for (const auto& [name, port] : ports_) {
    all.push_back(port->info());
    all.back().worker_cpu = workers_->cpu_of(port->index());
    all.back().macs = macs[port->index()];
  }
  return all;
}

PortCounters Switch::counters(const std::string& port) const {
  return workers_->counters(find(port).index());
}

std::vector<std::string> Switch::messages(const std::string& port) const {
  std::vector<std::string> lines;
  for (const auto& record : find(port).endpoint().history()) {
    const std::time_t when = std::chrono::system_clock::to_time_t(record.when);
    std::tm local = {};
    localtime_r(&when, &local);
    std::array<char, 16> text{};
    std::strftime(text.data(), text.size(), "%H:%M:%S", &local);
    lines.push_back(std::string(text.data()) + " " + record.name + " " + record.summary);
  }
  return lines;
}

std::vector<MacEntry> Switch::macs() const {
  const uint32_t now = now_.load();
  std::vector<MacEntry> all;
  table_.for_each([&](const bridge::MacTable::Entry& entry) {
    const uint32_t age = entry.is_static || entry.seen > now ? 0 : now - entry.seen;
    all.push_back({entry.address, name_of(entry.port), entry.is_static, std::chrono::seconds(age)});
  });
  return all;
}

void Switch::add_static_mac(bridge::MacAddress address, const std::string& port) {
  const uint16_t index = find(port).index();
  if (address.is_group() || address.is_zero()) {
    throw SwitchError(address.to_string() + " is not the address of a station");
  }
  const bridge::MacPlace place = table_.find(address);
  if (place.found() && place.is_static() && place.port() != index) {
    throw SwitchError(address.to_string() + " is static on port " + name_of(place.port()) +
                      "; remove it there first");
  }
  if (!table_.add_static(address, index)) {
    throw SwitchError("the address table is full (" + std::to_string(table_.capacity()) + ")");
  }
}

void Switch::remove_mac(bridge::MacAddress address) {
  if (!table_.remove(address)) throw SwitchError(address.to_string() + " is not in the table");
}

uint32_t Switch::flush_macs(const std::optional<std::string>& port) {
  if (!port) return table_.flush_learned(nullptr);
  const uint16_t index = find(*port).index();
  return table_.flush_learned(&index);
}

std::vector<WorkerInfo> Switch::workers() const {
  std::vector<WorkerInfo> all = workers_->info();
  for (unsigned i = 0; i < all.size(); ++i) {
    for (const uint16_t index : workers_->ports_of(i)) all[i].ports.push_back(name_of(index));
  }
  return all;
}

SwitchStatus Switch::status() const {
  SwitchStatus status;
  status.cpu_level = level_.name;
  status.poll = settings_.poll == PollMode::busy ? "busy" : "adaptive";
  status.tsc_hz = tsc_hz_;
  status.macs = table_.size();
  status.mac_table_size = table_.capacity();
  status.uptime =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  return status;
}

void Switch::on_event(std::function<void(const Event&)> handler) {
  handler_ = std::move(handler);
}

void Switch::report(Event::Kind kind, const std::string& port, const std::string& detail) {
  if (handler_) handler_({kind, port, detail});
}

void Switch::expect_tick() {
  second_.expires_after(std::chrono::seconds(1));
  second_.async_wait([this](const boost::system::error_code& error) {
    if (!error) tick();
  });
}

void Switch::tick() {
  const auto now = static_cast<uint32_t>(status().uptime.count());
  now_.store(now, std::memory_order_relaxed);
  const auto lifetime = static_cast<uint32_t>(settings_.mac_ageing.count());
  const uint32_t period = std::clamp<uint32_t>(lifetime / kAgeingSteps, 1, 10);
  if (lifetime != 0 && now % period == 0) table_.age(now, lifetime);
  expect_tick();
}

void Switch::expect_watch() {
  watch_.expires_after(kWatchPeriod);
  watch_.async_wait([this](const boost::system::error_code& error) {
    if (!error) watch();
  });
}

void Switch::watch() {
  for (const uint16_t index : workers_->check_notifiers()) {
    const auto port = ports_.find(name_of(index));
    if (port != ports_.end()) port->second->expel("its eventfd made an interrupt hang");
  }
  for (auto& [name, port] : ports_) port->check();
  for (const bridge::Move& move : workers_->take_moves()) {
    report(Event::Kind::mac_moved, name_of(move.to), move.address.to_string());
  }
  expect_watch();
}

}  // namespace datapath
