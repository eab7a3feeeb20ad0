#include "restart/restart.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <thread>

#include "frontend/frame.h"
#include "lib/switch_process.h"

namespace testbed {
namespace {

using Clock = std::chrono::steady_clock;
using frontend::MessageOrder;
using frontend::RingBase;

constexpr uint32_t kFrameSize = 60;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Two guests; `first` of them sends.
class Pair {
 public:
  Pair(const VmmManner& manner, const SwitchProcess& process, uint16_t first)
      : manner_(manner),
        first_(first),
        sender_(options(process.socket(port_name(first)))),
        receiver_(options(process.socket(port_name(first + 1u)))) {
    bring_up(receiver_);
    bring_up(sender_);
    send();
    await_frame();
  }

  // Until the frame that was sent meanwhile has arrived.
  void come_back() {
    const bool noticed = sender_.connection().wait_closed(kDeadline) &&
                         receiver_.connection().wait_closed(kDeadline);
    if (!noticed) throw TestbedError("a VMM does not notice that the switch is gone");
    send();
    std::this_thread::sleep_for(manner_.first_attempt);
    for (frontend::Guest* guest : {&receiver_, &sender_}) guest->disconnect();
    for (frontend::Guest* guest : {&receiver_, &sender_}) guest->connect();
    connected = Clock::now();
    bring_up(receiver_);
    bring_up(sender_);
    await_frame();
    arrived = Clock::now();
  }

  Clock::time_point connected;
  Clock::time_point arrived;

 private:
  frontend::GuestOptions options(const std::string& socket) const {
    frontend::GuestOptions options;
    options.socket = socket;
    options.order = manner_.order;
    options.base = manner_.base;
    options.listen = manner_.listens;
    if (manner_.retry.count() != 0) options.retry = manner_.retry;
    options.memory.regions = {4u << 20};
    return options;
  }

  // The library starts the device after its last answer: two more messages are answered after that.
  static void bring_up(frontend::Guest& guest) {
    guest.start();
    guest.receive();
    guest.connection().set_owner();
    guest.connection().get_features();
  }

  void send() {
    const frontend::FrameHead head{frontend::guest_mac(first_ + 1u, 0),
                                   frontend::guest_mac(first_, 0), first_,
                                   static_cast<uint16_t>(first_ + 1u), ++sequence_};
    if (!sender_.send(frontend::make_frame(head, kFrameSize))) {
      throw TestbedError("the sender's ring is full");
    }
  }

  // The switch knows no address yet: what other pairs send is flooded to this one as well.
  void await_frame() {
    const auto deadline = Clock::now() + kDeadline;
    frontend::FrameHead head;
    while (Clock::now() < deadline) {
      const auto frame = receiver_.receive_within(kDeadline);
      if (!frame) break;
      const uint16_t self = static_cast<uint16_t>(first_ + 1u);
      const bool whole =
          frontend::read_head(frame->bytes.data(), self, head) != frontend::Verdict::not_ours &&
          frontend::intact(frame->bytes);
      if (!whole) throw TestbedError("a frame arrived changed");
      if (head.source == first_ && head.sequence == sequence_) return;
    }
    throw TestbedError("port " + port_name(first_) + ": the frame never arrived");
  }

  const VmmManner& manner_;
  const uint16_t first_;
  frontend::Guest sender_;
  frontend::Guest receiver_;
  uint64_t sequence_ = 0;
};

class Setting {
 public:
  Setting(const VmmManner& manner, unsigned pairs) : process_(arguments(manner, pairs)) {
    for (unsigned i = 0; i < pairs; ++i) {
      pairs_.push_back(std::make_unique<Pair>(manner, process_, static_cast<uint16_t>(2 * i)));
    }
  }

  void round(RestartTimes& times) {
    std::vector<std::exception_ptr> errors(pairs_.size());
    std::vector<std::thread> threads;
    const auto killed = Clock::now();
    process_.kill();
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      threads.emplace_back([&, i] {
        try {
          pairs_[i]->come_back();
        } catch (...) {
          errors[i] = std::current_exception();
        }
      });
    }
    process_.start();
    const auto listening = Clock::now();
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
    times.starts.push_back(milliseconds(listening - killed));
    for (const auto& pair : pairs_) note(*pair, killed, listening, times);
  }

 private:
  static std::vector<std::string> arguments(const VmmManner& manner, unsigned pairs) {
    std::vector<std::string> words = port_arguments(2 * pairs);
    for (unsigned i = 0; manner.listens && i < 2 * pairs; ++i) {
      words.insert(words.end(), {"--mode", port_name(i) + "=client"});
    }
    return words;
  }

  static void note(const Pair& pair, Clock::time_point killed, Clock::time_point listening,
                   RestartTimes& times) {
    const auto ready = std::max(listening, pair.connected);
    times.waits.push_back(milliseconds(ready - listening));
    times.frames.push_back(std::max(milliseconds(pair.arrived - ready), 0.0));
    times.outages.push_back(milliseconds(pair.arrived - killed));
  }

  SwitchProcess process_;
  std::vector<std::unique_ptr<Pair>> pairs_;
};

}  // namespace

const std::vector<VmmManner>& vmm_manners() {
  using std::chrono::milliseconds;
  static const std::vector<VmmManner> manners = {
      {"cloud-hypervisor, client", MessageOrder::cloud_hypervisor, RingBase::available_index, false,
       milliseconds(0), milliseconds(100)},
      {"QEMU, reconnect=1", MessageOrder::qemu, RingBase::used_index, false, milliseconds(1000),
       milliseconds(1000)},
      {"cloud-hypervisor, server", MessageOrder::cloud_hypervisor, RingBase::available_index, true,
       milliseconds(0), milliseconds(0)},
      {"QEMU, server=on", MessageOrder::qemu, RingBase::used_index, true, milliseconds(0),
       milliseconds(0)}};
  return manners;
}

RestartTimes measure_restarts(const VmmManner& manner, unsigned pairs, unsigned rounds) {
  Setting setting(manner, pairs);
  RestartTimes times;
  for (unsigned i = 0; i < rounds; ++i) setting.round(times);
  for (auto* values : {&times.starts, &times.waits, &times.frames, &times.outages}) {
    std::sort(values->begin(), values->end());
  }
  return times;
}

}  // namespace testbed
