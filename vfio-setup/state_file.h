// What vfio-setup has done and how things were before, kept over its own death and over reboots.
//
// The file is replaced whole (a reader never sees half of it) before each step of a binding, so
// whatever step a kill interrupts, the way back is on disk. One lock orders all writers: bind,
// confirm, restore and the watchers.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "paths.h"

namespace vfio_setup {

struct SavedInterface {
  std::string name;
  bool up = false;
  std::string boot_id;                                 // of the boot that it was saved in
  std::int64_t saved_at = 0;                           // seconds on CLOCK_BOOTTIME
  nlohmann::json addresses = nlohmann::json::array();  // as `ip -json address` prints them
  nlohmann::json routes = nlohmann::json::array();     // as `ip -json route` prints them
  int mtu = 0;                                         // 0: not known
  std::string mac;                                     // empty: the one that it has by itself
  std::string master;                                  // bridge or bond that it is a port of
  std::string master_kind;                             // "bridge", "bond"
  // As `ip -json -details link` prints them: info_slave_data of a bridge's port, info_data of a
  // VLAN.
  nlohmann::json port;
  nlohmann::json vlan;
  std::vector<SavedInterface> vlans;
};

struct SavedDevice {
  std::string address;
  std::string ids;     // "8086:10d3": whether the same card is still there
  std::string driver;  // empty: it had none
  std::vector<std::string> modules;
  std::string driver_override;  // empty: it had none
  std::vector<SavedInterface> interfaces;
  int virtual_functions = 0;  // how many its driver had made (SR-IOV)
  // More of what tells the card (card.h); empty: not known.
  std::string subsystem = {};  // "8086:a01f"
  std::string serial = {};     // "00-11-22-ff-ff-33-44-55"
  std::string mac = {};        // of the NIC for good; for messages: no boot can read it
};

// The binding is given back at the deadline unless it was confirmed.
struct PendingConfirm {
  std::string token;          // tells this wait from an earlier one of the same device
  std::int64_t deadline = 0;  // seconds on CLOCK_BOOTTIME
  bool persist = false;       // becomes persistent when confirmed
};

struct Binding {
  std::string address;  // the one given to bind
  std::string step;     // the step that was begun last; "bound" when all are done
  std::string boot_id;  // of the boot that it was made in, or made again
  std::vector<SavedDevice> devices;
  std::optional<uid_t> user;
  std::optional<gid_t> group;
  bool persistent = false;
  std::optional<PendingConfirm> confirm;

  bool covers(const std::string& device_address) const;
};

struct State {
  std::vector<Binding> bindings;

  Binding* find(const std::string& device_address);
  Binding& put(const Binding& binding);  // replaces the one of the same address
  void erase(const std::string& address);
};

class StateFile {
 public:
  explicit StateFile(const Paths& paths) : path_(paths.state_file()) {}
  State load() const;  // throws when the file is damaged
  void save(const State& state) const;

 private:
  std::filesystem::path path_;
};

// Held for as long as the object lives; waits for whoever holds it.
class StateLock {
 public:
  explicit StateLock(const Paths& paths);
  ~StateLock();
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;

 private:
  int fd_;
};

std::string current_boot_id(const Paths& paths);
std::int64_t boottime_seconds();

}  // namespace vfio_setup
