#include "siege/attackers.h"

#include <algorithm>

#include "frontend/connection.h"
#include "frontend/error.h"
#include "frontend/guest_memory.h"

namespace testbed {
namespace {

using frontend::Connection;
using frontend::Request;

constexpr std::chrono::milliseconds kPatience{3000};
constexpr unsigned kTables = 20;       // then it connects anew
constexpr unsigned kQuestions = 4000;  // more than a socket holds answers for

void send_half(Connection& connection, uint64_t round) {
  const frontend::MessageHeader header{static_cast<uint32_t>(Request::set_vring_num), 1, 8};
  connection.send_raw(frontend::bytes_of(header));
  if (round % 2 == 0) connection.send_raw(frontend::bytes_of(uint32_t{0}));
  if (round % 8 < 2) connection.wait_closed(kPatience);
}

void alternate_tables(Connection& connection, std::atomic<uint64_t>& messages) {
  frontend::MemoryOptions options;
  options.regions.assign(frontend::kMaxRegions, 64u << 20);
  const frontend::GuestMemory first(options);
  options.guest_address = 0x8'0000'0000;
  const frontend::GuestMemory second(options);
  connection.set_owner();
  connection.set_features(connection.get_features());
  connection.set_protocol_features(connection.get_protocol_features());
  connection.acknowledged(true);
  for (unsigned i = 0; i < kTables; ++i, ++messages) {
    const frontend::GuestMemory& table = i % 2 == 0 ? first : second;
    connection.set_mem_table(table.table(), table.descriptors());
  }
}

// Ends by an exception: the switch has enough.
void never_read(Connection& connection, std::atomic<uint64_t>& messages) {
  const frontend::MessageHeader header{static_cast<uint32_t>(Request::get_features), 1, 0};
  for (unsigned i = 0; i < kQuestions; ++i, ++messages) {
    connection.send_raw(frontend::bytes_of(header));
  }
}

}  // namespace

Attackers::Attackers(const std::vector<Place>& places) {
  for (const Place& place : places) threads_.emplace_back([this, place] { run(place); });
}

void Attackers::stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Attackers::run(const Place& place) {
  Count& count = counts_[static_cast<std::size_t>(place.attack)];
  for (uint64_t round = 0; !stop_; ++round) {
    try {
      once(place, round, count);
    } catch (const frontend::Error&) {
      // Sent away, or not answered: on to the next one.
    }
  }
}

void Attackers::once(const Place& place, uint64_t round, Count& count) {
  Connection connection = Connection::connect(place.socket, kPatience);
  ++count.connections;
  switch (place.attack) {
    case Attack::half:
      return send_half(connection, round);
    case Attack::tables:
      return alternate_tables(connection, count.messages);
    case Attack::deaf:
      return never_read(connection, count.messages);
  }
}

}  // namespace testbed
