#include "runtime/console.h"

#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <utility>

#include "runtime/console_watcher.h"

namespace launcher {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

}  // namespace

Console::Console(asio::io_context& loop, const std::filesystem::path& socket,
                 const std::filesystem::path& log)
    : loop_(loop), log_(log), listener_(loop, socket, [this](Listener::Socket connection) {
        const auto watcher = std::make_shared<ConsoleWatcher>(std::move(connection), *this);
        watchers_.insert(watcher);
        watcher->start(ring_);
      }) {}

Console::~Console() {
  while (!watchers_.empty()) {
    const auto watcher = *watchers_.begin();
    watchers_.erase(watchers_.begin());
    watcher->close();
  }
}

void Console::connect(FileDescriptor master, std::string awaited,
                      std::function<void()> on_awaited) {
  disconnect();
  awaited_ = std::move(awaited);
  on_awaited_ = std::move(on_awaited);
  seen_ = false;
  line_.clear();
  // A copy, since the descriptor's owner closes it.
  terminal_.emplace(loop_, dup(master.get()));
  read();
}

void Console::disconnect() {
  terminal_.reset();
}

void Console::read() {
  terminal_->async_read_some(asio::buffer(input_), [this, alive = std::weak_ptr(alive_)](
                                                       const error_code& error, size_t length) {
    if (error == asio::error::operation_aborted || alive.expired()) return;
    // EIO: nobody holds the slave any more.
    if (error) return disconnect();
    on_output({input_.data(), length});
    if (terminal_) read();
  });
}

void Console::on_output(std::string_view bytes) {
  log_.write(bytes);
  ring_ += bytes;
  if (ring_.size() > kRing) ring_.erase(0, ring_.size() - kRing);
  const auto watchers = watchers_;
  for (const auto& watcher : watchers) watcher->show(bytes);
  look_for_awaited(bytes);
}

void Console::look_for_awaited(std::string_view bytes) {
  if (awaited_.empty() || seen_) return;
  line_ += bytes;
  if (line_.find(awaited_) != std::string::npos) {
    seen_ = true;
    if (on_awaited_) on_awaited_();
  } else if (line_.size() > awaited_.size()) {
    line_.erase(0, line_.size() - awaited_.size());
  }
}

std::string Console::tail(size_t lines) const {
  size_t start = ring_.size();
  for (size_t line = 0; line <= lines && start != 0 && start != std::string::npos; ++line) {
    start = ring_.rfind('\n', start - 1);
  }
  return start == std::string::npos ? ring_ : ring_.substr(start == 0 ? 0 : start + 1);
}

void Console::type(std::string_view bytes) {
  if (!terminal_) return;
  // A guest that reads nothing loses what is typed; the launcher does not wait for it.
  [[maybe_unused]] const ssize_t written =
      ::write(terminal_->native_handle(), bytes.data(), bytes.size());
}

}  // namespace launcher
