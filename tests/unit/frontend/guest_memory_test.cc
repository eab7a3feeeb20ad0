#include "frontend/guest_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "frontend/error.h"

namespace frontend {
namespace {

TEST(GuestMemory, TranslatesInEveryRegion) {
  MemoryOptions options;
  options.regions = {10'000, 4096, 100'000};
  GuestMemory memory(options);
  for (std::size_t region = 0; region < options.regions.size(); ++region) {
    uint8_t* host = memory.allocate_in(region, 1000);
    EXPECT_EQ(memory.host(memory.guest_address(host)), host);
    EXPECT_EQ(memory.guest_address(host), memory.table()[region].guest_address);
    EXPECT_EQ(memory.user_address(host), memory.table()[region].user_address);
    EXPECT_NE(memory.user_address(host), reinterpret_cast<uintptr_t>(host));
  }
  EXPECT_EQ(memory.table()[0].size, 12'288u);
}

TEST(GuestMemory, LeavesTheGapItWasAskedFor) {
  MemoryOptions options;
  options.regions = {4096, 4096};
  options.gap = 0;
  GuestMemory memory(options);
  EXPECT_EQ(memory.table()[1].guest_address, memory.table()[0].guest_address + 4096);
  EXPECT_THROW(memory.host(memory.table()[1].guest_address + 4096), Error);
  EXPECT_THROW(memory.host(memory.table()[0].guest_address - 1), Error);
}

TEST(GuestMemory, GoesToTheNextRegionWhenOneIsFull) {
  MemoryOptions options;
  options.regions = {4096, 8192};
  GuestMemory memory(options);
  memory.allocate(4000);
  const uint8_t* second = memory.allocate(1000);
  EXPECT_EQ(memory.guest_address(second), memory.table()[1].guest_address);
  EXPECT_THROW(memory.allocate(8192), Error);
}

TEST(GuestMemory, DescriptorsReallyHoldTheMemory) {
  MemoryOptions options;
  options.regions = {8192};
  options.file_offset = 4096;
  GuestMemory memory(options);
  memory.allocate(1)[0] = 77;
  void* other = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, memory.descriptors()[0],
                     static_cast<off_t>(memory.table()[0].mmap_offset));
  ASSERT_NE(other, MAP_FAILED);
  EXPECT_EQ(static_cast<uint8_t*>(other)[0], 77);
  munmap(other, 4096);
}

TEST(GuestMemory, ShrinksOnlyWhenNotSealed) {
  MemoryOptions options;
  options.regions = {8192};
  GuestMemory sealed(options);
  EXPECT_THROW(sealed.truncate(0, 4096), Error);
  options.sealed = false;
  GuestMemory loose(options);
  loose.truncate(0, 4096);
}

}  // namespace
}  // namespace frontend
