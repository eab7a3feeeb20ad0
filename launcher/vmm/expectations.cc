#include "vmm/expectations.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace launcher {

namespace asio = boost::asio;

std::shared_ptr<Expectations::Ticket> Expectations::expect(const std::string& what) {
  // Those that were given up go now: there are never more than a few.
  std::erase_if(tickets_, [](const auto& entry) { return entry.second.expired(); });
  auto ticket = std::make_shared<Ticket>(loop_);
  tickets_.emplace(what, ticket);
  return ticket;
}

asio::awaitable<std::optional<nlohmann::json>> Expectations::wait(std::shared_ptr<Ticket> ticket,
                                                                  std::chrono::milliseconds limit) {
  if (!ticket->message_ && !ended_) {
    boost::system::error_code ignored;
    ticket->timer_.expires_after(limit);
    co_await ticket->timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return std::move(ticket->message_);
}

bool Expectations::meet(const std::string& what, const nlohmann::json& message) {
  bool waited = false;
  const auto [first, last] = tickets_.equal_range(what);
  for (auto entry = first; entry != last; ++entry) {
    const auto ticket = entry->second.lock();
    if (!ticket) continue;
    ticket->message_ = message;
    ticket->timer_.cancel();
    waited = true;
  }
  tickets_.erase(first, last);
  return waited;
}

void Expectations::end() {
  ended_ = true;
  for (const auto& [what, entry] : tickets_) {
    if (const auto ticket = entry.lock()) ticket->timer_.cancel();
  }
  tickets_.clear();
}

}  // namespace launcher
