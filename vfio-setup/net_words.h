// What `ip` is to be told to have something as `ip -json` printed it before it went.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "state_file.h"

namespace vfio_setup {

using Words = std::vector<std::string>;

// `age`: seconds since it was saved.
bool has_expired(const nlohmann::json& address, std::int64_t age);
Words address_words(const nlohmann::json& address, const std::string& interface, std::int64_t age);

Words route_words(const nlohmann::json& route, const std::string& interface);

// A route over several hops, of which those are taken whose interface is there; empty when none is.
Words multipath_words(const nlohmann::json& route,
                      const std::function<bool(const std::string& interface)>& is_there);

// Options of a bridge's port; none of them, where none is known.
Words port_words(const SavedInterface& port);

// The VLAN on the interface `below`.
Words vlan_words(const SavedInterface& vlan, const std::string& below);

}  // namespace vfio_setup
