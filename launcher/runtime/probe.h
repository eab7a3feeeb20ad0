// Does an address answer on a segment? ARP (RFC 826; as a probe, RFC 5227, 2.1.1) or neighbour
// discovery (RFC 4861, 7.2; as duplicate address detection, RFC 4862, 5.4), sent over a port of the
// switch by a front-end that is no VM. Neither needs an address of our own.
//
// Threads: answers() blocks and runs in the background. Errors: frontend::Error.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace launcher {

using Octets = std::array<uint8_t, 6>;

// Frames as they are on the wire, without FCS.
std::vector<uint8_t> arp_probe(const Octets& mac, uint32_t address);
bool is_arp_answer(std::span<const uint8_t> frame, uint32_t address);
std::vector<uint8_t> neighbour_solicitation(const Octets& mac,
                                            const std::array<uint8_t, 16>& address);
bool is_neighbour_answer(std::span<const uint8_t> frame, const std::array<uint8_t, 16>& address);

// Asks again and again until there is an answer, the time is over or `stop` is set.
bool answers(const std::filesystem::path& socket, const std::string& address,
             std::chrono::milliseconds within, const std::atomic<bool>& stop);

}  // namespace launcher
