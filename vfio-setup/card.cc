#include "card.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>

#include "sysfs.h"

namespace vfio_setup {
namespace {

// PCI Express 5.0, 7.6.3 and 7.9.3.
constexpr std::size_t kFirstExtended = 0x100;
constexpr std::size_t kHeader = 4;
constexpr std::uint32_t kSerialNumber = 0x0003;
constexpr int kMostCapabilities = (0x1000 - 0x100) / 8;  // a chain that is longer is a ring

std::string read_config(const Paths& paths, const std::string& address) {
  std::ifstream file(paths.pci_device(address) / "config", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Little endian; all ones beyond the end, as the bus answers.
std::uint32_t word_at(const std::string& config, std::size_t offset) {
  if (offset + 4 > config.size()) return ~0U;
  std::uint32_t word = 0;
  for (std::size_t i = 4; i-- > 0;)
    word = word << 8 | static_cast<std::uint8_t>(config[offset + i]);
  return word;
}

// As lspci prints it. One that is all zeros or all ones was never given.
std::string serial_text(std::uint32_t low, std::uint32_t high) {
  if ((low == 0 && high == 0) || (low == ~0U && high == ~0U)) return "";
  std::string text;
  for (const std::uint32_t half : {high, low}) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      std::array<char, 4> byte{};
      std::snprintf(byte.data(), byte.size(), "%02x", half >> shift & 0xff);
      text += (text.empty() ? "" : "-") + std::string(byte.data());
    }
  }
  return text;
}

std::string read_serial(const Paths& paths, const std::string& address) {
  const std::string config = read_config(paths, address);
  std::size_t offset = kFirstExtended;
  for (int count = 0; offset >= kFirstExtended && count < kMostCapabilities; ++count) {
    const std::uint32_t header = word_at(config, offset);
    if (header == 0 || header == ~0U) return "";
    if ((header & 0xffff) == kSerialNumber) {
      return serial_text(word_at(config, offset + kHeader), word_at(config, offset + kHeader + 4));
    }
    offset = header >> 20 & 0xffc;
  }
  return "";
}

std::string read_pair(const std::filesystem::path& first, const std::filesystem::path& second) {
  const std::string a = read_attribute(first).value_or("");
  const std::string b = read_attribute(second).value_or("");
  return a.starts_with("0x") && b.starts_with("0x") ? a.substr(2) + ":" + b.substr(2) : "";
}

std::string read_ids(const Paths& paths, const std::string& address) {
  const auto directory = paths.pci_device(address);
  return read_pair(directory / "vendor", directory / "device");
}

std::string read_subsystem(const Paths& paths, const std::string& address) {
  const auto directory = paths.pci_device(address);
  return read_pair(directory / "subsystem_vendor", directory / "subsystem_device");
}

std::string compare(const char* key, const std::string& recorded, const std::string& found) {
  if (recorded.empty() || found == recorded) return "";
  return std::string("its ") + key + (found.empty() ? " cannot be read" : " is " + found) +
         ", on record is " + recorded;
}

std::string function_of(const std::string& address) {
  return address.substr(std::min(address.rfind('.'), address.size()));
}

std::vector<std::string> elsewhere(const Paths& paths, const SavedDevice& device) {
  std::vector<std::string> found;
  for (const std::string& address : directory_entries(paths.sys() / "bus/pci/devices")) {
    if (address == device.address || function_of(address) != function_of(device.address)) continue;
    if (difference(paths, device, address).empty()) found.push_back(address);
  }
  return found;
}

}  // namespace

void identify(const Paths& paths, SavedDevice& device) {
  device.subsystem = read_subsystem(paths, device.address);
  device.serial = read_serial(paths, device.address);
}

std::string difference(const Paths& paths, const SavedDevice& device, const std::string& address) {
  if (!std::filesystem::exists(paths.pci_device(address))) return "there is no card";
  std::string found = compare("vendor:device", device.ids, read_ids(paths, address));
  if (found.empty()) {
    found = compare("subsystem", device.subsystem, read_subsystem(paths, address));
  }
  if (found.empty() && !device.serial.empty()) {
    found = compare("serial number", device.serial, read_serial(paths, address));
  }
  return found;
}

Place find_card(const Paths& paths, const SavedDevice& device) {
  Place place{device.address, difference(paths, device, device.address)};
  if (place.difference.empty()) return place;
  place.address.clear();
  if (device.serial.empty()) {
    place.difference += "; on record is no serial number to find it by elsewhere";
    return place;
  }
  const auto found = elsewhere(paths, device);
  if (found.size() == 1) {
    place.address = found.front();
  } else {
    place.difference += found.empty() ? "; no other card has that serial number"
                                      : "; several other cards have that serial number";
  }
  return place;
}

std::string describe(const SavedDevice& device, const Place& place) {
  std::string text = "the card bound at " + device.address + " (" + device.ids;
  if (!device.serial.empty()) text += ", serial number " + device.serial;
  if (!device.mac.empty()) text += ", MAC address " + device.mac;
  text += ") is ";
  if (place.difference.empty()) return text + "there";
  return text + (place.address.empty() ? "not there" : "at " + place.address + " now") + " (at " +
         device.address + ": " + place.difference + ")";
}

void follow(const Paths& paths, Binding& binding) {
  for (SavedDevice& device : binding.devices) {
    const Place place = find_card(paths, device);
    if (place.address.empty()) continue;
    if (binding.address == device.address) binding.address = place.address;
    device.address = place.address;
  }
}

Binding* find_binding(const Paths& paths, State& state, const std::string& address) {
  for (Binding& binding : state.bindings) {
    for (const SavedDevice& device : binding.devices) {
      if (find_card(paths, device).address == address) return &binding;
    }
  }
  return state.find(address);
}

std::string word_of(const SavedDevice& device) {
  return device.address + "/" + device.ids + "/" + device.subsystem + "/" + device.serial + "/" +
         device.mac;
}

SavedDevice device_of(const std::string& word) {
  SavedDevice device;
  std::istringstream parts(word);
  for (std::string* part :
       {&device.address, &device.ids, &device.subsystem, &device.serial, &device.mac}) {
    std::getline(parts, *part, '/');
  }
  return device;
}

}  // namespace vfio_setup
