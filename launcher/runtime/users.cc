#include "runtime/users.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "process/error.h"
#include "process/file_descriptor.h"
#include "topology/account.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

FileDescriptor lock(const fs::path& record) {
  fs::create_directories(record.parent_path());
  const std::string path = record.string() + ".lock";
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file || flock(file.get(), LOCK_EX) != 0) {
    throw LaunchError(path + ": " + std::strerror(errno));
  }
  return file;
}

json read_record(const fs::path& path) {
  std::ifstream stream(path);
  if (!stream) return json::object();
  json record = json::parse(stream, nullptr, false);
  const auto is_user = [](const json& one) { return one.is_number_unsigned(); };
  if (!record.is_object() || !std::all_of(record.begin(), record.end(), is_user)) {
    throw LaunchError(path.string() + ": is not a record of users; move it away");
  }
  return record;
}

void write_record(const fs::path& path, const json& record) {
  const fs::path fresh = path.string() + ".new";
  std::ofstream stream(fresh);
  stream << record.dump(1) << "\n";
  stream.close();
  if (!stream) throw LaunchError(fresh.string() + ": cannot be written");
  fs::rename(fresh, path);
}

}  // namespace

std::optional<gid_t> kvm_group() {
  struct stat facts {};
  constexpr mode_t kGroupMay = S_IRGRP | S_IWGRP;
  if (stat("/dev/kvm", &facts) != 0) return std::nullopt;
  if (facts.st_gid == 0 || (facts.st_mode & kGroupMay) != kGroupMay) return std::nullopt;
  return facts.st_gid;
}

Users::Users(fs::path record, uid_t first, uid_t last)
    : record_(std::move(record)), first_(first), last_(last) {}

std::optional<Credentials> Users::user_of(const std::string& owner, const std::string& configured) {
  if (geteuid() != 0) return std::nullopt;
  Credentials user;
  if (configured.empty()) {
    user.uid = allocate(owner);
    user.gid = static_cast<gid_t>(user.uid);
  } else {
    const passwd* account = find_account(configured);
    if (account == nullptr) throw LaunchError(owner + ": there is no user '" + configured + "'");
    if (account->pw_uid == 0) throw LaunchError(owner + ": no VMM runs as root");
    user.uid = account->pw_uid;
    user.gid = account->pw_gid;
  }
  if (const auto group = kvm_group()) user.groups.push_back(*group);
  return user;
}

uid_t Users::allocate(const std::string& owner) {
  const FileDescriptor held = lock(record_);
  json record = read_record(record_);
  std::set<uid_t> taken;
  for (const auto& [name, uid] : record.items()) {
    const uid_t number = uid.get<uid_t>();
    // One of another range: the operator moved it.
    if (name == owner && number >= first_ && number <= last_) return number;
    if (name != owner) taken.insert(number);
  }
  for (uid_t uid = first_; uid <= last_; ++uid) {
    if (taken.contains(uid) || getpwuid(uid) != nullptr) continue;
    record[owner] = uid;
    write_record(record_, record);
    return uid;
  }
  throw LaunchError("no user is left between " + std::to_string(first_) + " and " +
                    std::to_string(last_) +
                    "; widen [users] in the topology, or take names of VMs "
                    "that are no more out of " +
                    record_.string());
}

}  // namespace launcher
