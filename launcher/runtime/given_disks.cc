#include "runtime/given_disks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "process/error.h"
#include "process/file_descriptor.h"
#include "runtime/state_directory.h"
#include "runtime/vm_locks.h"

namespace launcher {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRecord = ".json";

FileDescriptor open_disk(const fs::path& disk, struct stat& facts) {
  FileDescriptor file(open(disk.c_str(), O_PATH | O_CLOEXEC));
  if (!file || fstat(file.get(), &facts) != 0) {
    throw LaunchError(disk.string() + ": " + std::strerror(errno));
  }
  return file;
}

bool set_owner(const FileDescriptor& file, uid_t uid, gid_t gid) {
  return fchownat(file.get(), "", uid, gid, AT_EMPTY_PATH) == 0;
}

bool set_mode(const FileDescriptor& file, mode_t mode) {
  const std::string handle = "/proc/self/fd/" + std::to_string(file.get());
  return chmod(handle.c_str(), mode) == 0;
}

}  // namespace

fs::path disk_record(const fs::path& topology, const std::string& vm) {
  return record_directory() / "disks" / (vm_key(topology, vm) + kRecord);
}

std::vector<std::string> vms_with_a_disk_record(const fs::path& topology) {
  std::vector<std::string> vms;
  const std::string prefix = vm_key(topology, "");
  std::error_code error;  // none was ever written
  for (const auto& entry : fs::directory_iterator(record_directory() / "disks", error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix) || !name.ends_with(kRecord)) continue;
    const size_t ends = prefix.size() + std::string_view(kRecord).size();
    if (name.size() > ends) vms.push_back(name.substr(prefix.size(), name.size() - ends));
  }
  return vms;
}

GivenDisks::GivenDisks(fs::path record) : record_(std::move(record)) {
  std::ifstream stream(record_);
  if (!stream) return;
  try {
    const json left = json::parse(stream);
    for (const auto& [disk, one] : left.items()) {
      given_[disk] = {one.at("inode"), one.at("owner"), one.at("group"), one.at("mode"),
                      one.at("given_to")};
    }
  } catch (const json::exception&) {
    throw LaunchError(record_.string() + ": is not a record of disks; move it away");
  }
}

void GivenDisks::save() const {
  if (given_.empty()) {
    fs::remove(record_);
    return;
  }
  json record;
  for (const auto& [disk, one] : given_) {
    record[disk] = {{"inode", one.inode},
                    {"owner", one.owner},
                    {"group", one.group},
                    {"mode", one.mode},
                    {"given_to", one.given_to}};
  }
  fs::create_directories(record_.parent_path());
  const fs::path fresh = record_.string() + ".new";
  std::ofstream stream(fresh);
  stream << record.dump(1) << "\n";
  stream.close();
  if (!stream) throw LaunchError(fresh.string() + ": cannot be written");
  fs::rename(fresh, record_);
}

void GivenDisks::give(const fs::path& disk, const Credentials& user) {
  struct stat facts {};
  const FileDescriptor file = open_disk(disk, facts);
  if (facts.st_uid == user.uid && (facts.st_mode & 077) == 0) return;
  // Noted first: a launcher that is killed in between leaves a note too many at the most.
  given_[disk.string()] = {facts.st_ino, facts.st_uid, facts.st_gid, facts.st_mode & 07777,
                           user.uid};
  save();
  if (!set_owner(file, user.uid, user.gid) || !set_mode(file, 0600)) {
    throw LaunchError(disk.string() + ": " + std::strerror(errno));
  }
}

bool GivenDisks::give_back(const std::string& disk, const Before& before) {
  struct stat facts {};
  const FileDescriptor file = open_disk(disk, facts);
  if (facts.st_ino != before.inode || facts.st_uid != before.given_to) return false;
  return set_owner(file, before.owner, before.group) && set_mode(file, before.mode);
}

std::vector<fs::path> GivenDisks::give_back_all() noexcept {
  std::vector<fs::path> back;
  try {
    for (const auto& [disk, before] : given_) {
      try {
        if (give_back(disk, before)) back.push_back(disk);
      } catch (const LaunchError&) {
        // It is gone.
      }
    }
    const bool had_any = !given_.empty();
    given_.clear();
    if (had_any) save();
  } catch (...) {
    // A note too many.
  }
  return back;
}

}  // namespace launcher
