#include "runtime/console_watcher.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "runtime/console.h"

namespace launcher {

namespace asio = boost::asio;
using boost::system::error_code;

ConsoleWatcher::ConsoleWatcher(asio::local::stream_protocol::socket socket, Console& console)
    : socket_(std::move(socket)), console_(&console) {}

void ConsoleWatcher::start(std::string_view backlog) {
  show(backlog);
  read();
}

void ConsoleWatcher::show(std::string_view bytes) {
  if (pending_.size() + bytes.size() > Console::kMostPending) return leave();
  pending_ += bytes;
  if (writing_.empty()) write();
}

void ConsoleWatcher::write() {
  if (pending_.empty()) return;
  writing_ = std::exchange(pending_, "");
  asio::async_write(socket_, asio::buffer(writing_),
                    [self = shared_from_this()](const error_code& error, size_t) {
                      self->writing_.clear();
                      if (error) return self->leave();
                      self->write();
                    });
}

void ConsoleWatcher::read() {
  socket_.async_read_some(asio::buffer(input_),
                          [self = shared_from_this()](const error_code& error, size_t length) {
                            if (error || self->console_ == nullptr) return self->leave();
                            self->console_->type({self->input_.data(), length});
                            self->read();
                          });
}

void ConsoleWatcher::leave() {
  const auto self = shared_from_this();
  if (Console* console = std::exchange(console_, nullptr)) console->watchers_.erase(self);
  error_code ignored;
  socket_.close(ignored);
}

void ConsoleWatcher::close() {
  console_ = nullptr;
  leave();
}

}  // namespace launcher
