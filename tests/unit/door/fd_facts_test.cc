// Which descriptors pass for an eventfd and which for guest memory.
#include "vhost/door/fd_facts.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door_fixture.h"

namespace vhost::door::test {
namespace {

using Kind = FdFacts::Kind;

TEST(FdFactsTest, Eventfd) {
  EXPECT_EQ(Kind::eventfd, inspect_fd(make_eventfd().get()).kind);
}

TEST(FdFactsTest, MemoryWithItsSize) {
  const FdFacts facts = inspect_fd(make_memfd(3 * kMiB).get());
  EXPECT_EQ(Kind::memory, facts.kind);
  EXPECT_EQ(3 * kMiB, facts.size);
}

TEST(FdFactsTest, MemoryThatCannotBeMappedForWriting) {
  const UniqueFd memory = make_memfd(4096);
  EXPECT_FALSE(inspect_fd(memory.get()).read_only);
  EXPECT_FALSE(inspect_fd(memory.get()).huge_pages);
  const std::string link = "/proc/self/fd/" + std::to_string(memory.get());
  EXPECT_TRUE(inspect_fd(UniqueFd(::open(link.c_str(), O_RDONLY | O_CLOEXEC)).get()).read_only);
  for (const int seal : {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE}) {
    const UniqueFd sealed(::memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(0, ::fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    EXPECT_FALSE(inspect_fd(sealed.get()).read_only) << "as QEMU seals its log";
    ASSERT_EQ(0, ::fcntl(sealed.get(), F_ADD_SEALS, seal));
    EXPECT_TRUE(inspect_fd(sealed.get()).read_only);
  }
}

TEST(FdFactsTest, MemoryInHugePages) {
  const UniqueFd huge(::memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB));
  if (!huge) GTEST_SKIP() << "the kernel has no hugetlbfs";
  EXPECT_EQ(Kind::memory, inspect_fd(huge.get()).kind);
  EXPECT_TRUE(inspect_fd(huge.get()).huge_pages);
}

TEST(FdFactsTest, PipesSocketsAndOtherAnonymousFilesAreNeither) {
  int pair[2];
  ASSERT_EQ(0, ::pipe2(pair, O_NONBLOCK | O_CLOEXEC));
  const UniqueFd read_end(pair[0]), write_end(pair[1]);
  EXPECT_EQ(Kind::other, inspect_fd(read_end.get()).kind);
  EXPECT_EQ(Kind::other, inspect_fd(write_end.get()).kind);
  EXPECT_EQ(Kind::other, inspect_fd(UniqueFd(::epoll_create1(EPOLL_CLOEXEC)).get()).kind);
  EXPECT_EQ(Kind::other, inspect_fd(UniqueFd(::socket(AF_UNIX, SOCK_STREAM, 0)).get()).kind);
  EXPECT_EQ(Kind::other, inspect_fd(-1).kind);
}

TEST(FdFactsTest, FilesElsewhereAndDirectoriesAreNoMemory) {
  EXPECT_EQ(Kind::other, inspect_fd(UniqueFd(::open("/proc/self/exe", O_RDONLY)).get()).kind);
  EXPECT_EQ(Kind::other, inspect_fd(UniqueFd(::open("/proc/self/maps", O_RDONLY)).get()).kind);
  EXPECT_EQ(Kind::other, inspect_fd(UniqueFd(::open("/dev/zero", O_RDWR)).get()).kind);
  EXPECT_EQ(Kind::other, inspect_fd(UniqueFd(::open("/dev/shm", O_RDONLY)).get()).kind);
}

TEST(FdFactsTest, AMemoryFileOpenedByPathAloneIsRefused) {
  const UniqueFd memory = make_memfd(4096);
  const std::string link = "/proc/self/fd/" + std::to_string(memory.get());
  const UniqueFd path_only(::open(link.c_str(), O_PATH | O_CLOEXEC));
  ASSERT_TRUE(path_only);
  EXPECT_EQ(Kind::other, inspect_fd(path_only.get()).kind);
}

}  // namespace
}  // namespace vhost::door::test
