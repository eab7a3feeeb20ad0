// A switch without frames, for tests of the control plane: keeps what it is told, refuses what the
// real one refuses, and shows guests where a test puts them.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "datapath/switch_api.h"

namespace control::testing {

class FakeSwitch final : public datapath::SwitchApi {
 public:
  void add_port(const datapath::PortSettings& settings) override {
    if (!fail_add_port.empty()) throw datapath::SwitchError(fail_add_port);
    if (ports_.count(settings.name) != 0) {
      throw datapath::SwitchError("port '" + settings.name + "' exists; choose another name");
    }
    datapath::PortInfo port;
    port.settings = settings;
    port.worker_cpu = kCpu;
    ports_[settings.name] = port;
    report(datapath::Event::Kind::port_added, settings.name);
  }

  void remove_port(const std::string& name, bool force) override {
    if (find(name).state == datapath::PortState::attached && !force) {
      throw datapath::SwitchError("port '" + name + "' has a guest; use --force");
    }
    ports_.erase(name);
    std::erase_if(macs_, [&](const auto& entry) { return entry.port == name; });
    report(datapath::Event::Kind::port_removed, name);
  }

  std::vector<datapath::PortInfo> ports() const override {
    std::vector<datapath::PortInfo> all;
    for (const auto& [name, port] : ports_) all.push_back(port);
    return all;
  }

  datapath::PortCounters counters(const std::string& port) const override {
    find(port);
    const auto found = counters_.find(port);
    return found != counters_.end() ? found->second : datapath::PortCounters{};
  }

  std::vector<std::string> messages(const std::string& port) const override {
    find(port);
    return {"VHOST_USER_SET_OWNER", "VHOST_USER_GET_FEATURES"};
  }

  std::vector<datapath::MacEntry> macs() const override { return macs_; }

  void add_static_mac(bridge::MacAddress address, const std::string& port) override {
    find(port);
    for (const auto& entry : macs_) {
      if (entry.address == address && entry.is_static) {
        throw datapath::SwitchError(address.to_string() + " is static already");
      }
    }
    macs_.push_back({address, port, true, std::chrono::seconds(0)});
  }

  void remove_mac(bridge::MacAddress address) override {
    if (std::erase_if(macs_, [&](const auto& entry) { return entry.address == address; }) == 0) {
      throw datapath::SwitchError(address.to_string() + " is not in the table");
    }
  }

  uint32_t flush_macs(const std::optional<std::string>& port) override {
    return static_cast<uint32_t>(std::erase_if(macs_, [&](const auto& entry) {
      return !entry.is_static && (!port || entry.port == *port);
    }));
  }

  std::vector<datapath::WorkerInfo> workers() const override { return {worker}; }

  datapath::SwitchStatus status() const override {
    datapath::SwitchStatus status;
    status.cpu_level = "x86-64-v3";
    status.poll = "adaptive";
    status.tsc_hz = kTscHz;
    status.macs = static_cast<uint32_t>(macs_.size());
    status.mac_table_size = 65536;
    status.uptime = std::chrono::seconds(90061);
    return status;
  }

  void on_event(std::function<void(const datapath::Event&)> handler) override {
    handler_ = std::move(handler);
  }

  // What a test makes happen.
  void attach(const std::string& name) {
    datapath::PortInfo& port = ports_.at(name);
    port.state = datapath::PortState::attached;
    port.vmm_pid = 4711;
    port.vmm_uid = 1000;
    port.features = uint64_t{1} << 32 | uint64_t{1} << 15;
    report(datapath::Event::Kind::guest_attached, name);
  }
  void learn(bridge::MacAddress address, const std::string& port) {
    macs_.push_back({address, port, false, std::chrono::seconds(7)});
  }
  void count(const std::string& port, bridge::Ingress counter, uint64_t value) {
    counters_[port].ingress[static_cast<size_t>(counter)] += value;
  }
  void report(datapath::Event::Kind kind, const std::string& port, const std::string& detail = "") {
    if (handler_) handler_({kind, port, detail});
  }
  bool has_port(const std::string& name) const { return ports_.count(name) != 0; }

  static constexpr int kCpu = 0;
  static constexpr uint64_t kTscHz = 2'000'000'000;

  datapath::WorkerInfo worker{kCpu, 1000, 400, 56'000, 30'000, 14'000, 3, 1000, 990, 12, {"vm1"}};
  std::string fail_add_port;  // why adding a port is refused; empty: it is not

 private:
  const datapath::PortInfo& find(const std::string& name) const {
    const auto found = ports_.find(name);
    if (found == ports_.end()) throw datapath::SwitchError("there is no port '" + name + "'");
    return found->second;
  }

  std::map<std::string, datapath::PortInfo> ports_;
  std::map<std::string, datapath::PortCounters> counters_;
  std::vector<datapath::MacEntry> macs_;
  std::function<void(const datapath::Event&)> handler_;
};

}  // namespace control::testing
