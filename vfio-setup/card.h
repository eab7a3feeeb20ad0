// Which card a record means: an address may be another's after a change of cards or of firmware.
//
// A card is known by the ids of its vendor and of its subsystem and, where it has one, by its
// serial number (PCI Express 5.0, 7.9.3: capability 0003h of the extended configuration space).
// All of it is there before any driver is. With a serial number, the card is found again wherever
// it is now; all functions of a card have the same, so the number of the function counts, too.
// What a record of an earlier version lacks is not compared.
#pragma once

#include <string>

#include "state_file.h"

namespace vfio_setup {

// Where the card of a record is.
struct Place {
  std::string address;     // empty: nowhere, or nowhere for certain
  std::string difference;  // why it is not where it was; empty: it is
};

// Records what tells the function at the device's address apart, beside its ids.
void identify(const Paths& paths, SavedDevice& device);

// What of the function at an address is not as recorded; empty when it is the one.
std::string difference(const Paths& paths, const SavedDevice& device, const std::string& address);

Place find_card(const Paths& paths, const SavedDevice& device);

// In words: what card, and where it is or why it is nowhere.
std::string describe(const SavedDevice& device, const Place& place);

// Gives the binding the addresses that its cards have now.
void follow(const Paths& paths, Binding& binding);

// Of the card that is at the address now; of none, the one on record with it; else nullptr.
Binding* find_binding(const Paths& paths, State& state, const std::string& address);

// As one word for the early boot, which has no state file; without "/" and white space inside.
// "0000:00:19.0/8086:10d3/8086:a01f/00-11-22-ff-ff-33-44-55/00:11:22:33:44:55"
std::string word_of(const SavedDevice& device);
SavedDevice device_of(const std::string& word);

}  // namespace vfio_setup
