#include "topology/dependencies.h"

#include <algorithm>
#include <map>

#include "topology/error.h"

namespace launcher {
namespace {

class Order {
 public:
  explicit Order(const Topology& topology) : topology_(topology) {}

  void add(const std::string& name, const std::string& asked_by) {
    const VmConfig* vm = topology_.find(name);
    if (vm == nullptr) throw TopologyError(asked_by, "there is no VM '" + name + "'");
    State& state = states_[name];
    if (state == State::done) return;
    path_.push_back(name);
    if (state == State::entered) throw TopologyError(vm->origin_of("depends"), cycle(name));
    state = State::entered;
    for (const std::string& other : vm->depends) add(other, vm->origin_of("depends"));
    states_[name] = State::done;
    path_.pop_back();
    order_.push_back(name);
  }

  std::vector<std::string> take() { return std::move(order_); }

 private:
  enum class State { unseen, entered, done };

  std::string cycle(const std::string& name) const {
    std::string text = "the VMs depend on each other: ";
    const auto first = std::find(path_.begin(), path_.end(), name);
    for (auto step = first; step != path_.end(); ++step) {
      text += (step == first ? "" : " -> ") + *step;
    }
    return text;
  }

  const Topology& topology_;
  std::map<std::string, State> states_;
  std::vector<std::string> path_;
  std::vector<std::string> order_;
};

}  // namespace

std::vector<std::string> start_order(const Topology& topology,
                                     const std::vector<std::string>& wanted) {
  Order order(topology);
  for (const std::string& name : wanted) order.add(name, topology.file.string());
  if (wanted.empty()) {
    for (const VmConfig& vm : topology.vms) order.add(vm.name, topology.file.string());
  }
  return order.take();
}

std::vector<std::string> dependents(const Topology& topology, const std::string& vm) {
  std::vector<std::string> found;
  std::vector<std::string> order = start_order(topology, {});
  std::reverse(order.begin(), order.end());
  for (const std::string& other : order) {
    if (other == vm) continue;
    const std::vector<std::string> needed = start_order(topology, {other});
    if (std::find(needed.begin(), needed.end(), vm) != needed.end()) found.push_back(other);
  }
  return found;
}

}  // namespace launcher
