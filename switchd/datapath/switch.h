// The switch: ports, the table of addresses, the workers, and the topology that ties them.
//
// Two lifetimes, kept apart: a port is added and removed by the operator, here; a guest attaches to
// and detaches from it by itself (vhost/device.h). A port is added by making its endpoint and then
// publishing a topology with it, and removed the other way round: workers have let go of it before
// anything of it is destroyed, and traffic between other ports never notices.
//
// Threads: main, which also runs the timers: kWatchPeriod for what workers cannot say aloud, one
// second for the clock of the address table.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>

#include "bridge/mac_table.h"
#include "datapath/port.h"
#include "datapath/runtime_dir.h"
#include "datapath/switch_api.h"
#include "datapath/switch_settings.h"
#include "datapath/workers.h"

namespace datapath {

class Switch final : public SwitchApi {
 public:
  // Starts DPDK and the workers; one object a process. Throws SwitchError.
  Switch(boost::asio::io_context& loop, SwitchSettings settings);
  ~Switch() override;

  void add_port(const PortSettings& settings) override;
  void remove_port(const std::string& name, bool force) override;
  std::vector<PortInfo> ports() const override;
  PortCounters counters(const std::string& port) const override;
  std::vector<std::string> messages(const std::string& port) const override;

  std::vector<MacEntry> macs() const override;
  void add_static_mac(bridge::MacAddress address, const std::string& port) override;
  void remove_mac(bridge::MacAddress address) override;
  uint32_t flush_macs(const std::optional<std::string>& port) override;

  std::vector<WorkerInfo> workers() const override;
  SwitchStatus status() const override;
  void on_event(std::function<void(const Event&)> handler) override;

 private:
  const Port& find(const std::string& name) const;
  void check_new(const PortSettings& settings) const;
  uint16_t free_index() const;
  std::string name_of(uint16_t index) const;
  void publish();
  void report(Event::Kind kind, const std::string& port, const std::string& detail);
  void tick();
  void watch();
  void expect_tick();
  void expect_watch();

  boost::asio::io_context& loop_;
  const SwitchSettings settings_;
  const CpuLevel level_;
  RuntimeDir runtime_dir_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::atomic<uint32_t> now_{0};  // seconds since started_, the clock of the table
  bridge::MacTable table_;
  uint64_t tsc_hz_ = 0;
  std::unique_ptr<Workers> workers_;
  std::map<std::string, std::unique_ptr<Port>> ports_;
  std::function<void(const Event&)> handler_;
  boost::asio::steady_timer second_;
  boost::asio::steady_timer watch_;
};

}  // namespace datapath
