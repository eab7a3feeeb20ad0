// One client of the control socket.
//
// Theory of operation. One line in, one line out, in lock-step: the next request is read only when
// the answer to the last was taken, so a client that asks and never reads stops itself. Only events
// can pile up; a client that falls kMaxPendingEvents bytes behind, or takes no byte of what is
// being written for kWriteTimeout, is dropped. A line has kMaxLine bytes at the most. Whatever a
// client does costs that client its connection and nobody else anything.
//
// Threads: the io_context's. Lives as long as an operation is pending on it.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace control {

class Session : public std::enable_shared_from_this<Session> {
 public:
  static constexpr size_t kMaxLine = 64 * 1024;
  static constexpr size_t kMaxPendingEvents = 1024 * 1024;
  static constexpr std::chrono::seconds kWriteTimeout{10};

  // Answers a line; empty when there is nothing to say. `subscribe` makes events come from now on.
  using Handler =
      std::function<std::string(std::string_view line, const std::function<void()>& subscribe)>;
  using Closed = std::function<void(const std::shared_ptr<Session>&)>;

  Session(boost::asio::local::stream_protocol::socket socket, Handler handler, Closed closed);

  void start();
  void publish(const std::shared_ptr<const std::string>& event);
  // Says `line` and closes.
  void dismiss(const std::string& line);
  // Idempotent. The handlers are not called any more.
  void close();

 private:
  struct Line {
    std::shared_ptr<const std::string> text;
    bool is_event = false;
  };

  void read();
  void on_read(size_t length);
  void on_overlong();
  void handle(std::string_view line);
  void reply(std::string text);
  void enqueue(Line line);
  void write();
  void on_written(size_t length);
  void watch_writer();

  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::steady_timer write_timer_;
  Handler handler_;
  Closed closed_;
  std::string input_;
  std::deque<Line> output_;  // the first is being written
  size_t written_ = 0;       // bytes of the first that the client has taken
  size_t pending_events_ = 0;
  bool subscribed_ = false;
  bool answering_ = false;  // an answer is in output_; no reading meanwhile
  bool dismissed_ = false;  // close when output_ is empty
  bool open_ = true;
};

}  // namespace control
