#include "lib/background_traffic.h"

#include "lib/switch_process.h"

namespace testbed {

BackgroundTraffic::BackgroundTraffic(Crowd& crowd, std::chrono::microseconds pause)
    : crowd_(crowd), pause_(pause), thread_([this] { run(); }) {}

void BackgroundTraffic::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void BackgroundTraffic::run() {
  try {
    for (uint32_t size = 60; !stop_; size = size == 1514 ? 60 : size + 1) {
      burst(size);
      crowd_.settle();
      ++bursts_;
      if (pause_.count() != 0) std::this_thread::sleep_for(pause_);
    }
  } catch (const std::exception& error) {
    crowd_.problem(error.what());
  }
  ended_ = true;
}

void BackgroundTraffic::burst(uint32_t size) {
  for (unsigned i = 0; i < 8; ++i) {
    crowd_.send(0, 1, size);
    crowd_.send(1, 0, size);
  }
}

void BackgroundTraffic::await_progress() const {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  for (const uint64_t before = bursts_; bursts_ < before + 2;) {
    if (ended_ || std::chrono::steady_clock::now() > deadline) {
      throw TestbedError("the frames between two other guests no longer get on");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace testbed
