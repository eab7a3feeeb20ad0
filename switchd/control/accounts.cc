#include "control/accounts.h"

#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <system_error>

namespace control {
namespace {

// (uid_t)-1 means "leave as it is" to chown(2), so it is nobody's.
constexpr int64_t kLargestId = std::numeric_limits<uint32_t>::max() - 1;

std::optional<uint32_t> number_of(const NameOrNumber& account, const Value& value) {
  int64_t number = 0;
  if (const int64_t* given = std::get_if<int64_t>(&account)) {
    number = *given;
  } else {
    const std::string& text = std::get<std::string>(account);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty()) value.fail("a user or group must not be empty");
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  }
  if (number < 0 || number > kLargestId) value.fail("there is no such user or group number");
  return static_cast<uint32_t>(number);
}

}  // namespace

uid_t resolve_user(const NameOrNumber& user, const Value& value) {
  if (const auto number = number_of(user, value)) return *number;
  const std::string& name = std::get<std::string>(user);
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr) value.fail("there is no user '" + name + "' on this host");
  return entry->pw_uid;
}

gid_t resolve_group(const NameOrNumber& group, const Value& value) {
  if (const auto number = number_of(group, value)) return *number;
  const std::string& name = std::get<std::string>(group);
  const ::group* entry = getgrnam(name.c_str());
  if (entry == nullptr) value.fail("there is no group '" + name + "' on this host");
  return entry->gr_gid;
}

bool Identity::may_own(uid_t owner) const {
  return may_chown || owner == uid;
}

bool Identity::may_group(gid_t group) const {
  return may_chown || may_join_groups || group == gid ||
         std::find(groups.begin(), groups.end(), group) != groups.end();
}

Identity current_identity() {
  Identity identity;
  identity.uid = geteuid();
  identity.gid = getegid();
  const int count = getgroups(0, nullptr);
  identity.groups.resize(static_cast<size_t>(std::max(count, 0)));
  if (count < 0 || getgroups(count, identity.groups.data()) < 0) {
    throw std::system_error(errno, std::generic_category(), "getgroups");
  }
  capng_get_caps_process();
  identity.may_chown = capng_have_capability(CAPNG_EFFECTIVE, CAP_CHOWN) != 0;
  return identity;
}

Identity identity_of(const std::string& user, const std::string& origin) {
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr) throw ConfigError(origin, "there is no user '" + user + "' on this host");
  Identity identity;
  identity.uid = entry->pw_uid;
  identity.gid = entry->pw_gid;
  const Identity current = current_identity();
  if (current.uid == identity.uid) return current;
  if (current.uid != 0) {
    throw ConfigError(origin, "only root can become '" + user +
                                  "'; start as root, or as that user without this setting");
  }
  int count = 0;
  getgrouplist(entry->pw_name, entry->pw_gid, nullptr, &count);
  identity.groups.resize(static_cast<size_t>(count));
  getgrouplist(entry->pw_name, entry->pw_gid, identity.groups.data(), &count);
  identity.may_join_groups = true;
  return identity;
}

}  // namespace control
