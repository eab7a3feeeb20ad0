// Who has a passed device open, in a tree of files; /dev/null plays the group's node.
#include "group_holders.h"

#include <gmock/gmock.h>

#include "fake_host.h"

namespace vfio_setup {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class GroupHoldersTest : public FakeHost {
 protected:
  GroupHoldersTest() {
    add_device("0000:00:19.0", "0x020000", 3, "vfio-pci");
    std::filesystem::create_directories(root_ / "dev/vfio");
    std::filesystem::create_symlink("/dev/null", root_ / "dev/vfio/3");
    write("proc/4711/comm", "qemu\n");
  }

  void process_has_open(const std::filesystem::path& file) {
    std::filesystem::create_directories(root_ / "proc/4711/fd");
    std::filesystem::create_symlink(file, root_ / "proc/4711/fd/7");
  }

  std::vector<Holder> holders() { return find_holders(paths(), {"0000:00:19.0"}); }
};

TEST_F(GroupHoldersTest, a_process_with_the_groups_node_holds_it) {
  process_has_open(root_ / "dev/vfio/3");
  ASSERT_THAT(holders(), SizeIs(1));
  EXPECT_EQ(holders()[0].pid, 4711);
  EXPECT_EQ(holders()[0].command, "qemu");
}

TEST_F(GroupHoldersTest, files_elsewhere_are_not_looked_at) {
  // Were it looked at, it would be taken for the node.
  process_has_open("/dev/null");
  EXPECT_THAT(holders(), IsEmpty());
}

}  // namespace
}  // namespace vfio_setup
