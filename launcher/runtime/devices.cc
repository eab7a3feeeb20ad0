#include "runtime/devices.h"

#include <algorithm>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "process/error.h"
#include "runtime/programs.h"
#include "topology/address.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool is_bound(const std::string& address) {
  std::error_code error;
  const fs::path driver = "/sys/bus/pci/devices/" + address + "/driver";
  return fs::read_symlink(driver, error).filename() == "vfio-pci";
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

Devices::Devices(boost::asio::io_context& loop, Progress& progress, const Topology& topology,
                 fs::path vfio_setup, fs::path record)
    : loop_(loop),
      progress_(progress),
      topology_(topology),
      program_(std::move(vfio_setup)),
      record_(std::move(record)) {
  std::ifstream stream(record_);
  if (!stream) return;
  const json left = json::parse(stream, nullptr, false);
  if (!left.is_array()) return;
  for (const json& address : left) {
    if (address.is_string()) taken_.insert(address.get<std::string>());
  }
}

void Devices::save() const {
  if (taken_.empty()) {
    fs::remove(record_);
    return;
  }
  const fs::path fresh = record_.string() + ".new";
  std::ofstream(fresh) << json(taken_).dump() << "\n";
  fs::rename(fresh, record_);
}

Task<std::string> Devices::vfio_setup(std::vector<std::string> arguments) {
  const fs::path program = find_program("vfio-setup", program_, "--vfio-setup");
  std::string command = "vfio-setup";
  for (const std::string& argument : arguments) command += " " + argument;
  arguments.insert(arguments.begin(), program.string());
  const ToolResult result = co_await run_tool(loop_, std::move(arguments));
  if (!result.succeeded) {
    std::string words = result.error.empty() ? result.output : result.error;
    while (!words.empty() && words.back() == '\n') words.pop_back();
    throw LaunchError("`" + command + "` failed: " + words);
  }
  co_return result.output;
}

std::string Devices::owner_of(const std::string& address) const {
  const auto owner = owners_.find(address);
  if (owner != owners_.end()) return owner->second;
  for (const VmConfig& vm : topology_.vms) {
    if (std::find(vm.devices.begin(), vm.devices.end(), address) != vm.devices.end()) {
      return vm.name;
    }
  }
  return "";
}

Task<std::string> Devices::choose() {
  std::vector<std::string> words{"list", "--json"};
  const std::string text = co_await vfio_setup(std::move(words));
  const json list = json::parse(text, nullptr, false);
  std::vector<std::string> able, bound, owned;
  for (const json& device : list.is_object() ? list.value("devices", json::array()) : json()) {
    const std::string address = device.value("address", "");
    if (!device.value("nic", false)) continue;
    if (const std::string vm = owner_of(address); !vm.empty()) {
      owned.push_back(address + " is one of VM " + vm);
      continue;
    }
    if (is_bound(address)) bound.push_back(address);
    if (device.value("verdict", json::object()).value("can_be_passed", false)) {
      able.push_back(address);
    }
  }
  if (bound.size() == 1) co_return bound[0];
  if (able.size() == 1) co_return able[0];
  if (!able.empty()) {
    throw LaunchError("devices = \"auto\": several NICs can be passed (" + joined(able) +
                      "); name one");
  }
  const std::string others = owned.empty() ? "" : " (" + joined(owned) + ")";
  throw LaunchError("devices = \"auto\": no NIC can be passed" + others +
                    "; `vfio-setup list` says why");
}

Task<std::string> Devices::find(std::string device) {
  if (device == "auto") co_return co_await choose();
  const auto address = pci_address(device);
  if (!address) {
    throw LaunchError("'" + device + "' is no PCI address; write \"0000:00:19.0\" or \"auto\"");
  }
  if (!fs::exists("/sys/bus/pci/devices/" + *address)) {
    throw LaunchError("there is no PCI device " + *address + "; `vfio-setup list` names NICs");
  }
  co_return *address;
}

Task<std::string> Devices::take(std::string vm, std::string device, std::optional<uid_t> uid) {
  const std::string address = co_await find(std::move(device));
  const auto owner = owners_.find(address);
  if (owner != owners_.end() && owner->second != vm) {
    throw LaunchError(address + " is a device of VM " + owner->second);
  }
  const bool was_bound = is_bound(address);
  if (!was_bound || uid) {
    std::string for_vm = vm, copy = address;
    co_await bind(std::move(for_vm), std::move(copy), was_bound, uid);
  }
  owners_[address] = vm;
  co_return address;
}

Task<> Devices::bind(std::string vm, std::string address, bool was_bound,
                     std::optional<uid_t> uid) {
  if (!was_bound) {
    // Noted first: a launcher that is killed in between leaves a note too many at the most.
    taken_.insert(address);
    save();
  }
  std::vector<std::string> arguments{"bind", address};
  if (uid) {
    arguments.push_back("--user");
    arguments.push_back(std::to_string(*uid));
  }
  std::string said;
  std::exception_ptr failure;
  try {
    said = co_await vfio_setup(std::move(arguments));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    forget_unless_bound(address);
    std::rethrow_exception(failure);
  }
  progress_.say(vm, first_line(said));
}

void Devices::forget_unless_bound(const std::string& address) {
  if (is_bound(address) || taken_.erase(address) == 0) return;
  save();
}

Task<> Devices::give_back(std::string address) {
  owners_.erase(address);
  if (!taken_.contains(address)) co_return;
  std::vector<std::string> words{"restore", address};
  std::exception_ptr failure;
  try {
    co_await vfio_setup(std::move(words));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    forget_unless_bound(address);
    std::rethrow_exception(failure);
  }
  taken_.erase(address);
  save();
  progress_.say("", address + " given back to the host");
}

Task<> Devices::give_back_all() {
  const std::set<std::string> all = taken_;
  for (const std::string& address : all) co_await give_back(address);
}

}  // namespace launcher
