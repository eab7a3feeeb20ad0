#include "lib/crowd.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>

#include "lib/switch_process.h"

namespace testbed {
namespace {

using frontend::ChainShape;
using frontend::FrameHead;

constexpr std::size_t kMostProblems = 10;
constexpr uint32_t kSizeBits = 16;

// Waits for something the switch does, without taking the CPU from it.
class Patience {
 public:
  explicit Patience(std::string what) : what_(std::move(what)) {}
  void step(bool progress) {
    if (progress) {
      idle_ = 0;
      deadline_ = std::chrono::steady_clock::now() + kDeadline;
      return;
    }
    if (++idle_ < kSpins) return std::this_thread::yield();
    if (std::chrono::steady_clock::now() > deadline_) throw TestbedError(what_);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }

 private:
  static constexpr unsigned kSpins = 200;
  std::string what_;
  unsigned idle_ = 0;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::now() + kDeadline;
};

std::string name_of(const FrameHead& head) {
  return "frame " + std::to_string(head.sequence >> kSizeBits) + " of " +
         std::to_string(head.sequence & 0xffff) + " bytes from " + std::to_string(head.source);
}

}  // namespace

static void bring_up(frontend::Guest& guest) {
  guest.start();
  guest.receive();  // posts the buffers, if the ring is new
  guest.await_served();
}

Station& Crowd::add(const std::string& port, frontend::GuestOptions options) {
  options.max_frame = std::max(options.max_frame, kLargestFrame);
  auto station = std::make_unique<Station>(options);
  station->number = static_cast<uint16_t>(stations_.size());
  station->port = port;
  bring_up(station->guest);
  stations_.push_back(std::move(station));
  for (auto& row : books_) row.resize(stations_.size());
  books_.emplace_back(stations_.size());
  return *stations_.back();
}

void Crowd::start(uint16_t station) {
  bring_up(at(station).guest);
}

void Crowd::replace(uint16_t station) {
  const Station& old = at(station);
  auto next = std::make_unique<Station>(old.guest.options());
  next->number = old.number;
  next->port = old.port;
  next->macs = old.macs;
  next->sequence = old.sequence;  // receivers know what they had from this station
  next->sent_frames = old.sent_frames;
  next->sent_bytes = old.sent_bytes;
  next->received_bytes = old.received_bytes;
  stations_.at(station) = std::move(next);
}

void Crowd::reconnect(uint16_t station) {
  at(station).guest.disconnect();
  bring_up(at(station).guest);
}

void Crowd::problem(const std::string& text) {
  if (problems_.size() < kMostProblems) problems_.push_back(text);
}

std::vector<uint16_t> Crowd::all_but(uint16_t station) const {
  std::vector<uint16_t> others;
  for (uint16_t i = 0; i < size(); ++i) {
    if (i != station) others.push_back(i);
  }
  return others;
}

// --- Sending.

uint64_t Crowd::address_of(uint16_t station, uint64_t count) {
  return frontend::guest_mac(station, static_cast<uint16_t>(count % at(station).macs));
}

uint32_t Crowd::buffers_for(Station& station, uint32_t size) {
  const auto& links = station.guest.options().receive_buffers;
  const uint32_t capacity = std::accumulate(links.begin(), links.end(), 0u);
  if (!station.guest.mergeable()) return 1;
  return (station.guest.header_size() + size + capacity - 1) / capacity;
}

bool Crowd::has_room(Station& station, uint32_t size) {
  return station.guest.receive().posted() >= station.reserved + buffers_for(station, size);
}

FrameHead Crowd::next_head(Station& from, uint16_t to, uint64_t address, uint32_t size) {
  const uint64_t count = ++from.sequence;
  const uint64_t destination = to == frontend::kFlood ? address : address_of(to, count);
  return {destination, address_of(from.number, count), from.number, to, count << kSizeBits | size};
}

bool Crowd::put(Station& from, const std::vector<uint8_t>& frame, const ChainShape& shape) {
  frontend::TransmitQueue& queue = from.guest.transmit();
  queue.reclaim();
  if (!queue.send(frame, shape)) return false;
  queue.publish();
  ++from.sent_frames;
  from.sent_bytes += frame.size();
  return true;
}

void Crowd::transmit(uint16_t from, uint16_t to, uint64_t address, uint32_t size,
                     const ChainShape& shape) {
  Station& sender = at(from);
  const auto frame = frontend::make_frame(next_head(sender, to, address, size), size);
  Patience patience(sender.port + ": the switch takes no frames");
  while (!put(sender, frame, shape)) patience.step(turn());
}

void Crowd::send(uint16_t from, uint16_t to, uint32_t size, const ChainShape& shape) {
  Station& receiver = at(to);
  Patience patience(receiver.port + ": the frames it waits for do not come");
  while (!has_room(receiver, size)) patience.step(turn());
  receiver.reserved += buffers_for(receiver, size);
  ++books_[from][to].sent;
  transmit(from, to, 0, size, shape);
}

bool Crowd::can_send(uint16_t from, uint16_t to, uint32_t size) {
  frontend::TransmitQueue& queue = at(from).guest.transmit();
  queue.reclaim();
  return has_room(at(to), size) && queue.has_room({});
}

void Crowd::flood(uint16_t from, uint64_t destination, uint32_t size,
                  const std::vector<uint16_t>& receivers, const ChainShape& shape) {
  if (destination != flood_address_) settle();
  flood_address_ = destination;
  for (const uint16_t to : receivers) {
    Patience patience(at(to).port + ": the frames it waits for do not come");
    while (!has_room(at(to), size)) patience.step(turn());
  }
  for (const uint16_t to : receivers) {
    at(to).reserved += buffers_for(at(to), size);
    ++books_[from][to].sent;
  }
  transmit(from, frontend::kFlood, destination, size, shape);
}

bool Crowd::try_send(uint16_t from, uint16_t to, uint32_t size, const ChainShape& shape) {
  Station& sender = at(from);
  sender.guest.transmit().reclaim();
  if (!sender.guest.transmit().has_room(shape)) return false;
  put(sender, frontend::make_frame(next_head(sender, to, 0, size), size), shape);
  ++books_[from][to].sent;
  return true;
}

void Crowd::send_raw(uint16_t from, const std::vector<uint8_t>& bytes, const ChainShape& shape) {
  Patience patience(at(from).port + ": the switch takes no frames");
  while (!put(at(from), bytes, shape)) patience.step(turn());
}

void Crowd::announce() {
  for (uint16_t from = 0; from < size(); ++from) {
    for (uint16_t i = 0; i < at(from).macs; ++i) {
      flood(from, frontend::kBroadcastAddress, 60, all_but(from));
    }
  }
  settle();
}

// --- Receiving.

bool Crowd::turn() {
  bool progress = false;
  for (auto& station : stations_) {
    if (!station->guest.connected()) continue;
    progress |= station->guest.transmit().reclaim() != 0;
    if (station->receives) progress |= receive(*station);
  }
  return progress;
}

bool Crowd::receive(Station& station) {
  frontend::ReceiveQueue& queue = station.guest.receive();
  bool any = false;
  while (auto frame = queue.receive()) {
    any = true;
    station.reserved -= std::min<uint32_t>(station.reserved, frame->buffers);
    station.received_bytes += frame->bytes.size();
    check(station, *frame);
  }
  if (any) queue.fill();
  return any;
}

std::string Crowd::fault_in(Station& receiver, const frontend::ReceivedFrame& frame,
                            FrameHead& head) {
  if (frame.bytes.size() < frontend::kHeadSize) return "is shorter than a head";
  if (frontend::read_head(frame.bytes.data(), receiver.number, head) ==
      frontend::Verdict::not_ours) {
    return "is none of ours";
  }
  const bool flooded = head.destination == frontend::kFlood;
  if (head.source >= size()) return "comes from nobody";
  if (!flooded && head.destination != receiver.number) {
    return strays_expected_ ? "" : "is for another guest";
  }
  const uint64_t count = head.sequence >> kSizeBits;
  if (head.destination_mac != (flooded ? flood_address_ : address_of(receiver.number, count))) {
    return "has another destination address than it was sent to";
  }
  if (head.source_mac != address_of(head.source, count)) return "has another source address";
  if (frame.bytes.size() != (head.sequence & 0xffff)) {
    return "has " + std::to_string(frame.bytes.size()) + " bytes";
  }
  if (!frontend::intact(frame.bytes)) return "has another payload than it was sent with";
  if (frame.buffers != buffers_for(receiver, static_cast<uint32_t>(frame.bytes.size()))) {
    return "takes " + std::to_string(frame.buffers) + " buffers";
  }
  frontend::NetHeader wanted;
  if (receiver.guest.header_size() == frontend::kLongHeader) wanted.num_buffers = frame.buffers;
  if (!(frame.header == wanted)) return "has a header that promises an offload";
  const bool again = count <= books_[head.source][receiver.number].last;
  if (again && !repeats_expected_) return "is out of order or comes twice";
  return {};
}

void Crowd::check(Station& receiver, const frontend::ReceivedFrame& frame) {
  FrameHead head;
  const std::string fault = fault_in(receiver, frame, head);
  if (!fault.empty()) return problem(receiver.port + ": " + name_of(head) + " " + fault);
  if (head.destination != receiver.number && head.destination != frontend::kFlood) return;
  PairBook& book = books_[head.source][receiver.number];
  const uint64_t count = head.sequence >> kSizeBits;
  if (count <= book.last) return;  // a repeat
  ++book.received;
  book.last = count;
}

void Crowd::settle() {
  const auto under_way = [this] {
    return std::any_of(stations_.begin(), stations_.end(), [](auto& station) {
      return station->guest.connected() && station->guest.transmit().in_flight() != 0;
    });
  };
  Patience patience("the switch does not give frames back");
  while (under_way()) patience.step(turn());
  while (turn()) {
  }
}

void Crowd::settle_whole() {
  settle();
  for (uint16_t from = 0; from < size(); ++from) {
    for (uint16_t to = 0; to < size(); ++to) {
      const PairBook& book = books_[from][to];
      if (book.sent == book.received + book.lost) continue;
      problem(at(from).port + " to " + at(to).port + ": " + std::to_string(book.sent) +
              " frames sent, " + std::to_string(book.received) + " received");
    }
  }
}

void Crowd::accept_losses() {
  for (auto& row : books_) {
    for (PairBook& book : row) book.lost = book.sent - book.received;
  }
  for (auto& station : stations_) station->reserved = 0;
}

uint64_t Crowd::received(uint16_t station) const {
  uint64_t sum = 0;
  for (const auto& row : books_) sum += row.at(station).received;
  return sum;
}

void Crowd::new_book() {
  for (auto& row : books_) {
    for (PairBook& book : row) book.sent = book.received = book.lost = 0;
  }
  for (auto& station : stations_) {
    station->sent_frames = station->sent_bytes = station->received_bytes = 0;
  }
}

}  // namespace testbed
