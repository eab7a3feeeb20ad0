// When a VM is up: its links, its console line, its address; and how it stands, for `status`.
#include <atomic>
#include <boost/asio/detached.hpp>
#include <nlohmann/json.hpp>
#include "frontend/error.h"
#include "process/error.h"
#include "runtime/probe.h"
#include "runtime/vm.h"

namespace launcher {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kPoll{100};

json port_json(const VmPort& port, const Segment& segment) {
  return {{"id", port.id},
          {"port", segment.port_name(port.name)},
          {"segment", port.config.segment},
          {"mac", port.config.mac},
          {"address", port.config.address},
          {"isolated", port.config.isolated.value_or(false)}};
}

}  // namespace

Task<> Vm::await_ready() {
  const auto deadline = Clock::now() + config_.ready.within;
  co_await await_links(deadline);
  if (!config_.ready.console_line.empty()) {
    const auto seen = [this] {
      return console_.seen_awaited() || !process_->running() || !interruption().empty();
    };
    co_await host_.changes.until(seen, deadline);
  }
  if (const std::string reason = interruption(); !reason.empty()) throw LaunchError(reason);
  if (!process_->running()) throw LaunchError("the VMM ended: " + process_->end_text());
  if (!config_.ready.console_line.empty() && !console_.seen_awaited()) {
    throw LaunchError("its console does not say '" + config_.ready.console_line + "' within " +
                      std::to_string(config_.ready.within.count()) + " s; it says:\n" +
                      console_.tail(10));
  }
  if (!config_.ready.address.empty()) co_await await_address(deadline);
  remark("ready");
}

Task<> Vm::await_links(Clock::time_point deadline) {
  const std::vector<VmPort> ports = resources_.ports();
  for (const VmPort& port : ports) {
    std::string state;
    while (state != "attached") {
      if (const std::string reason = interruption(); !reason.empty()) throw LaunchError(reason);
      if (!process_->running()) throw LaunchError("the VMM ended: " + process_->end_text());
      if (Clock::now() >= deadline) {
        throw LaunchError("its link " + port.id + " is not up within " +
                          std::to_string(config_.ready.within.count()) + " s (port " + port.name +
                          " is " + state + "); its console says:\n" + console_.tail(10));
      }
      std::string name = port.name;
      state = co_await host_.segments.at(port.config.segment)->port_state(std::move(name));
      if (state != "attached") co_await host_.changes.wait(Clock::now() + kPoll);
    }
    remark(port.id + " is attached to segment " + port.config.segment);
  }
}

// Tells the probe when nobody waits for it any more.
Task<> Vm::watch_probe(std::shared_ptr<ProbeStop> stop) {
  const auto is_over = [this, stop] {
    return stop->done || !process_ || !process_->running() || !interruption().empty();
  };
  co_await host_.changes.until(is_over, Clock::now() + config_.ready.within);
  stop->flag = true;
}

Task<> Vm::await_address(Clock::time_point deadline) {
  if (config_.nets.empty()) throw LaunchError("ready.address needs an interface");
  Segment& segment = *host_.segments.at(config_.nets[0].segment);
  PortWish wish;
  wish.name = name() + ".probe";
  std::string port = wish.name;
  const std::filesystem::path socket = co_await segment.add_port(std::move(wish));
  const auto stop = std::make_shared<ProbeStop>();
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  bool answered = false;
  std::string problem;
  auto watching = watch_probe(stop);
  boost::asio::co_spawn(host_.loop, std::move(watching), boost::asio::detached);
  try {
    const auto ask = [socket, address = config_.ready.address, left, stop] {
      return answers(socket, address, left, stop->flag);
    };
    answered = co_await host_.background.run_alone(ask);
  } catch (const std::exception& error) {
    problem = error.what();
  }
  stop->done = true;
  host_.changes.notify();
  co_await segment.remove_port(std::move(port));
  if (answered) co_return;
  if (const std::string reason = interruption(); !reason.empty()) throw LaunchError(reason);
  if (!process_->running()) throw LaunchError("the VMM ended: " + process_->end_text());
  throw LaunchError("address " + config_.ready.address + " does not answer within " +
                    std::to_string(config_.ready.within.count()) + " s" +
                    (problem.empty() ? "" : " (" + problem + ")"));
}

json Vm::status() const {
  json ports = json::array();
  for (const VmPort& port : resources_.ports()) {
    ports.push_back(port_json(port, *host_.segments.at(port.config.segment)));
  }
  json status = {{"name", name()},
                 {"vmm", host_.find_driver(config_.vmm).name},
                 {"state", name_of(state_)},
                 {"pid", nullptr},
                 {"user", nullptr},
                 {"uptime_s", nullptr},
                 {"ports", ports},
                 {"devices", resources_.devices()},
                 {"depends", config_.depends},
                 {"restarts", restarts_},
                 {"kills", kills_},
                 {"reason", reason_},
                 {"console", host_.state.console(name()).string()},
                 {"console_log", host_.state.log(name() + ".console").string()},
                 {"log", host_.state.log(name() + ".log").string()}};
  if (process_ && process_->running()) {
    status["pid"] = process_->pid();
    status["user"] = resources_.user() ? resources_.user()->uid : geteuid();
    status["uptime_s"] =
        std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - process_->since()).count();
  }
  return status;
}

}  // namespace launcher
