#include "control/session.h"

#include <spdlog/spdlog.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <utility>

#include "control/json_rpc.h"

namespace control {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

}  // namespace

Session::Session(asio::local::stream_protocol::socket socket, Handler handler, Closed closed)
    : socket_(std::move(socket)),
      write_timer_(socket_.get_executor()),
      handler_(std::move(handler)),
      closed_(std::move(closed)) {}

void Session::start() {
  read();
}

void Session::read() {
  asio::async_read_until(socket_, asio::dynamic_buffer(input_, kMaxLine), '\n',
                         [self = shared_from_this()](const error_code& error, size_t length) {
                           if (!self->open_) return;
                           if (error == asio::error::not_found) return self->on_overlong();
                           // Half a line before the end is no request.
                           if (error) return self->close();
                           self->on_read(length);
                         });
}

void Session::on_overlong() {
  dismiss(error_line(nullptr, kInvalidRequest,
                     "a line has " + std::to_string(kMaxLine) + " bytes at the most"));
}

void Session::on_read(size_t length) {
  std::string line = input_.substr(0, length);
  input_.erase(0, length);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (!line.empty()) handle(line);
  if (open_ && !answering_) read();
}

void Session::handle(std::string_view line) {
  std::string text = handler_(line, [this] { subscribed_ = true; });
  if (open_ && !text.empty()) reply(std::move(text));
}

void Session::reply(std::string text) {
  answering_ = true;
  enqueue({std::make_shared<const std::string>(std::move(text)), false});
}

void Session::publish(const std::shared_ptr<const std::string>& event) {
  if (!open_ || !subscribed_ || dismissed_) return;
  pending_events_ += event->size();
  if (pending_events_ > kMaxPendingEvents) {
    spdlog::warn("control: a client reads its events too slowly and is dropped");
    return close();
  }
  enqueue({event, true});
}

void Session::dismiss(const std::string& line) {
  dismissed_ = true;
  reply(line);
}

void Session::enqueue(Line line) {
  output_.push_back(std::move(line));
  if (output_.size() == 1) write();
}

void Session::write() {
  watch_writer();
  const auto text = output_.front().text;
  socket_.async_write_some(
      asio::buffer(*text) + written_,
      [self = shared_from_this(), text](const error_code& error, size_t length) {
        if (!self->open_) return;
        if (error) return self->close();
        self->on_written(length);
      });
}

void Session::on_written(size_t length) {
  written_ += length;
  if (written_ < output_.front().text->size()) return write();
  const Line done = std::move(output_.front());
  output_.pop_front();
  written_ = 0;
  if (done.is_event) pending_events_ -= done.text->size();
  if (output_.empty()) {
    write_timer_.cancel();
    if (dismissed_) return close();
  } else {
    write();
  }
  if (!done.is_event && !dismissed_) {
    answering_ = false;
    read();
  }
}

void Session::watch_writer() {
  write_timer_.expires_after(kWriteTimeout);
  write_timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error || !self->open_) return;
    spdlog::warn("control: a client does not take what it asked for and is dropped");
    self->close();
  });
}

void Session::close() {
  if (!std::exchange(open_, false)) return;
  error_code ignored;
  socket_.close(ignored);
  write_timer_.cancel();
  if (closed_) std::exchange(closed_, nullptr)(shared_from_this());
}

}  // namespace control
