#include "topology/account.h"

#include <charconv>

namespace launcher {

const passwd* find_account(const std::string& user) {
  uid_t number = 0;
  const char* const last = user.data() + user.size();
  const auto [end, error] = std::from_chars(user.data(), last, number);
  return error == std::errc() && end == last ? getpwuid(number) : getpwnam(user.c_str());
}

}  // namespace launcher
