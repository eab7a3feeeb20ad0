// What the VMs of a topology share: plain references, all of them the supervisor's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "process/changes.h"
#include "runtime/background.h"
#include "runtime/devices.h"
#include "runtime/progress.h"
#include "runtime/segment.h"
#include "runtime/state_directory.h"
#include "runtime/users.h"
#include "topology/topology.h"
#include "vmm/vmm.h"

namespace launcher {

struct Host {
  boost::asio::io_context& loop;
  Changes& changes;
  Background& background;
  Progress& progress;
  const Topology& topology;
  StateDirectory& state;
  Users& users;
  Devices& devices;
  std::map<std::string, std::unique_ptr<Segment>>& segments;
  std::function<const VmmDriver&(VmmKind)> find_driver;
  bool hurry = false;  // whoever asked for the end asked again: VMs are not waited for
};

}  // namespace launcher
