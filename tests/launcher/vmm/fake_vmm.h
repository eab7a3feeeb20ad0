// A unix socket at which a test plays the VMM: what it says and when is the test's. And a loop on
// which a test runs an operation to its end.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "vmm/control_socket.h"
#include "vmm/vmm.h"

namespace launcher {

// A directory that goes with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "vmm-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Runs the loop until the operation ends, a minute at the most; throws what it throws.
template <typename T>
T finish(boost::asio::io_context& loop, boost::asio::awaitable<T> operation) {
  std::exception_ptr error;
  bool done = false;
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> result;
  const auto keep = [&](std::exception_ptr thrown, auto... value) {
    error = thrown;
    done = true;
    if constexpr (sizeof...(value) > 0) result.emplace(std::move(value)...);
  };
  boost::asio::co_spawn(loop, std::move(operation), keep);
  loop.restart();
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!done && std::chrono::steady_clock::now() < end) loop.run_one_for(std::chrono::seconds(1));
  if (!done) throw std::runtime_error("the operation has not ended within a minute");
  if (error) std::rethrow_exception(error);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// What an operation throws, or "" when it does not.
template <typename T>
std::string error_of(boost::asio::io_context& loop, boost::asio::awaitable<T> operation) {
  try {
    finish(loop, std::move(operation));
  } catch (const VmmError& error) {
    return error.what();
  }
  return "";
}

}  // namespace launcher
