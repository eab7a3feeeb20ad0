// The VM's name before whatever goes wrong with it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <exception>
#include <string>
#include <utility>

#include "vmm/vmm.h"

namespace launcher {

template <typename T>
boost::asio::awaitable<T> named(std::string vm, boost::asio::awaitable<T> operation) {
  try {
    co_return co_await std::move(operation);
  } catch (const std::exception& error) {
    throw VmmError(vm + ": " + error.what());
  }
}

}  // namespace launcher
