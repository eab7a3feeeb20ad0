// A coroutine of the event loop.
#pragma once

#include <utility>  // Boost 1.74's awaitable.hpp needs it and does not include it

#include <boost/asio/awaitable.hpp>

namespace launcher {

template <typename T = void>
using Task = boost::asio::awaitable<T>;

}  // namespace launcher
