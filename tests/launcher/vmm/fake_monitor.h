// QEMU's monitor as a test has it.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fake_vmm.h"

namespace launcher::qemu {

// Says `greeting`, then for each line it gets the next of `answers`; "ID" in one is the command's.
// The end of `answers` is the end of the connection.
class FakeMonitor {
 public:
  FakeMonitor(boost::asio::io_context& loop, const std::filesystem::path& path,
              std::string greeting, std::vector<std::string> answers)
      : acceptor_(loop, UnixEndpoint(path.string())),
        greeting_(std::move(greeting)),
        answers_(std::move(answers)) {
    boost::asio::co_spawn(loop, serve(), boost::asio::detached);
  }

  std::vector<nlohmann::json> asked;
  size_t piece = 4096;  // bytes at a time

 private:
  boost::asio::awaitable<void> serve() {
    UnixSocket socket = co_await acceptor_.async_accept(boost::asio::use_awaitable);
    co_await say(socket, greeting_);
    std::string buffer;
    for (const std::string& answer : answers_) {
      auto dynamic = boost::asio::dynamic_buffer(buffer);
      const size_t end =
          co_await boost::asio::async_read_until(socket, dynamic, '\n', boost::asio::use_awaitable);
      asked.push_back(nlohmann::json::parse(buffer.substr(0, end)));
      buffer.erase(0, end);
      std::string text = answer;
      const size_t id = text.find("ID");
      if (id != std::string::npos) text.replace(id, 2, asked.back().at("id").dump());
      co_await say(socket, text);
    }
  }

  boost::asio::awaitable<void> say(UnixSocket& socket, std::string text) {
    for (size_t at = 0; at < text.size(); at += piece) {
      const std::string part = text.substr(at, piece);
      const boost::asio::const_buffer bytes = boost::asio::buffer(part);
      co_await boost::asio::async_write(socket, bytes, boost::asio::use_awaitable);
    }
  }

  boost::asio::local::stream_protocol::acceptor acceptor_;
  std::string greeting_;
  std::vector<std::string> answers_;
};

inline const std::string greeting = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";
inline const std::string good = "{\"return\": {}, \"id\": ID}\r\n";

}  // namespace launcher::qemu
