// What a VMM that copies memory must be told: every page that the rings wrote into has its bit.
#include "vhost/dirty_log.h"

#include <random>
#include <set>
#include <thread>

#include "ring/offload_fixture.h"

namespace vhost::test {
namespace {

constexpr uint64_t kPage = DirtyLog::kPageBytes;

// The VMM's end: the bitmap itself.
template <size_t kBytes>
class Bitmap {
 public:
  const DirtyLog& log() const { return log_; }
  std::set<uint64_t> take() {
    std::set<uint64_t> pages;
    for (uint64_t page = 0; page < 8 * kBytes; ++page) {
      if ((bits_[page / 8] >> page % 8 & 1) != 0) pages.insert(page);
    }
    bits_.fill(0);
    return pages;
  }

 private:
  std::array<uint8_t, kBytes> bits_{};
  DirtyLog log_{bits_.data(), kBytes};
};

TEST(DirtyLogTest, OneBitForEachPageTouched) {
  Bitmap<8> bitmap;
  const auto marked = [&](uint64_t start, uint64_t length) {
    bitmap.log().mark(start, length);
    return bitmap.take();
  };
  EXPECT_EQ(std::set<uint64_t>{}, marked(kPage, 0));
  EXPECT_EQ(std::set<uint64_t>{0}, marked(0, 1));
  EXPECT_EQ(std::set<uint64_t>{9}, marked(9 * kPage, kPage));
  EXPECT_EQ((std::set<uint64_t>{8, 9}), marked(9 * kPage - 1, 2));
  EXPECT_EQ((std::set<uint64_t>{15, 16, 17, 18}), marked(16 * kPage - 1, 2 * kPage + 2));
}

TEST(DirtyLogTest, NothingBeyondItsEnd) {
  Bitmap<2> bitmap;
  EXPECT_TRUE(bitmap.log().covers(16 * kPage - 1));
  EXPECT_FALSE(bitmap.log().covers(16 * kPage));
  bitmap.log().mark(15 * kPage, 4 * kPage);
  EXPECT_EQ(std::set<uint64_t>{15}, bitmap.take());
  bitmap.log().mark(16 * kPage, 1);
  bitmap.log().mark(~uint64_t{0}, 1);
  bitmap.log().mark(~uint64_t{0} - kPage, 3 * kPage);
  EXPECT_EQ(std::set<uint64_t>{}, bitmap.take());
}

// Workers that mark neighbouring pages at once lose none: the bits of a byte are set one by one.
TEST(DirtyLogTest, ManyWorkersAtOnce) {
  constexpr size_t kBytes = 4096;
  for (int round = 0; round < 20; ++round) {
    Bitmap<kBytes> bitmap;
    const auto mark_every_second = [&](uint64_t first) {
      for (uint64_t page = first; page < 8 * kBytes; page += 2) {
        bitmap.log().mark(page * kPage, 1);
      }
    };
    std::thread other(mark_every_second, 1);
    mark_every_second(0);
    other.join();
    ASSERT_EQ(8 * kBytes, bitmap.take().size());
  }
}

TEST(DirtyLogTest, MemoryFindsTheGuestAddressOfWhatWasWritten) {
  SimulatedMemory memory;
  Bitmap<64> bitmap;
  memory.add(0x10000, 0x2000);
  memory.add(0x40000, 0x1000);
  EXPECT_EQ(0x40fffu, memory.table().highest());
  RegionCache cache;
  cache.reset(&memory.table());
  EXPECT_FALSE(cache.logs());
  memory.set_log(&bitmap.log());
  cache.reset(&memory.table());
  EXPECT_TRUE(cache.logs());
  for (const uint64_t guest : {0x11008u, 0x40010u, 0x10000u, 0x40fffu}) {
    cache.log(memory.at(guest), 1);
    EXPECT_EQ(std::set<uint64_t>{guest / kPage}, bitmap.take());
  }
  const uint8_t elsewhere = 0;
  cache.log(&elsewhere, 1);
  EXPECT_EQ(std::set<uint64_t>{}, bitmap.take());
}

// Memory as it was, and the pages that are no longer so.
class Snapshot {
 public:
  Snapshot(const SimulatedMemory& memory, uint64_t start, uint64_t end)
      : memory_(memory), start_(start), before_(memory.get(start, end - start)) {}
  std::set<uint64_t> changed() const {
    const Bytes now = memory_.get(start_, before_.size());
    std::set<uint64_t> pages;
    for (size_t i = 0; i < now.size(); ++i) {
      if (now[i] != before_[i]) pages.insert((start_ + i) / kPage);
    }
    return pages;
  }

 private:
  const SimulatedMemory& memory_;
  uint64_t start_;
  Bytes before_;
};

void expect_holds(const std::set<uint64_t>& logged, const std::set<uint64_t>& changed) {
  EXPECT_FALSE(changed.empty()) << "nothing was written: the test shows nothing";
  for (const uint64_t page : changed) EXPECT_TRUE(logged.contains(page)) << "page " << page;
}

class LoggedReceive : public ReceiveTest {
 protected:
  void start(uint64_t features, uint16_t size = 256, uint16_t index = 0) {
    memory_.set_log(&bitmap_.log());
    set_up(size, features, index);
    bitmap_.take();
  }
  // One frame; every page it changed has its bit, and no page has one that nothing was written to.
  void expect_logged(size_t length, const std::vector<std::vector<Descriptor>>& buffers) {
    std::set<uint64_t> allowed;
    for (const auto& chain : buffers) {
      for (const Descriptor& link : chain) {
        for (uint64_t at = link.address; at < link.address + link.length; ++at) {
          allowed.insert(at / kPage);
        }
      }
    }
    const Snapshot before(memory_, kRing, kEnd);
    frame(length, static_cast<unsigned>(length));
    deliver();
    std::set<uint64_t> logged = bitmap_.take();
    expect_holds(logged, before.changed());
    for (const uint64_t page : logged) {
      EXPECT_TRUE(allowed.contains(page) || page < kBuffers / kPage) << "page " << page;
    }
    batch_->clear();
    sent_.clear();
    first_ = 0;
    next_buffer_ = kBuffers;
  }

  Bitmap<18> bitmap_;  // up to kEnd
};

TEST_F(LoggedReceive, APlainBuffer) {
  start(kModern);
  for (const size_t length : {60u, 64u, 117u, 1514u, 9000u}) {
    const Descriptor whole = buffer(10000);
    offer({whole});
    expect_logged(length, {{whole}});
  }
}

TEST_F(LoggedReceive, ABufferOverPagesAndRegions) {
  start(kModern);
  for (uint32_t length = 60; length < 9000; length += 611) {
    const Descriptor over{kSeam - length / 2, length + 12, kDescWrite, 0};
    offer({over});
    expect_logged(length, {{over}});
  }
}

TEST_F(LoggedReceive, AnyBuffersAtRandom) {
  std::mt19937 random(1);
  for (const uint64_t features : {kModern | kIndirect, kMergeable | kIndirect, kModern | kEventIdx,
                                  kMergeable | kEventIdx, kIndirect}) {
    start(features, 64, 40);
    const bool mergeable = (features & feature::bit(feature::kNetMergeableRxBuf)) != 0;
    for (int round = 0; round < 300; ++round) {
      const size_t length = 60 + random() % 6000;
      std::vector<std::vector<Descriptor>> buffers;
      for (size_t capacity = 0; capacity < length + 12;) {
        std::vector<Descriptor> chain;
        const auto links = static_cast<unsigned>(1 + random() % 5);
        const size_t least = mergeable ? 16 + random() % 2000 : (length + 12) / links + 1;
        for (unsigned i = 0; i < links; ++i) {
          next_buffer_ += random() % 5000 & ~63u;
          chain.push_back(buffer(least));
          capacity += least;
        }
        buffers.push_back(chain);
        if (buffers.size() == 12) break;
      }
      for (const auto& chain : buffers) {
        offer(round % 2 == 0 ? chain : std::vector<Descriptor>{table(chain)});
      }
      expect_logged(length, buffers);
      // Whatever was left over is used up.
      while (driver_->used_index() != driver_->avail_index()) {
        frame(60);
        deliver();
      }
      bitmap_.take();
    }
  }
}

TEST_F(LoggedReceive, TheUsedRingWhereItEndsAndBegins) {
  start(kMergeable, 1024, 1020);
  std::vector<std::vector<Descriptor>> buffers;
  for (unsigned i = 0; i < 8; ++i) {
    buffers.push_back({buffer(1024)});
    offer(buffers.back());
  }
  expect_logged(8000, buffers);
}

class LoggedTransmit : public TransmitTest {
 protected:
  void start(uint64_t features, uint16_t size, uint16_t index) {
    memory_.set_log(&bitmap_.log());
    set_up(size, features, index);
    bitmap_.take();
  }
  template <typename Action>
  void expect_logged(Action action) {
    const Snapshot before(memory_, kRing, kEnd);
    action();
    expect_holds(bitmap_.take(), before.changed());
  }
  Bitmap<18> bitmap_;
};

TEST_F(LoggedTransmit, ChainsGivenBack) {
  for (const uint16_t index : std::to_array<uint16_t>({0, 500, 1000, 65530})) {
    start(kModern, 1024, index);
    for (unsigned i = 0; i < 60; ++i) offer({piece(joined({header(), pattern(60)}))});
    const unsigned taken = take();
    EXPECT_TRUE(bitmap_.take().empty()) << "taking writes nothing";
    expect_logged([&] { ring_.give_back(*batch_, 0, taken); });
    next_buffer_ = kBuffers;
  }
}

TEST_F(LoggedTransmit, KicksAskedForAndNot) {
  start(kModern, 1024, 77);
  expect_logged([&] { ring_.enable_kicks(); });
  expect_logged([&] { ring_.disable_kicks(); });
  start(kModern | kEventIdx, 1024, 77);
  expect_logged([&] { ring_.enable_kicks(); });
}

// --- What is changed on its way: checksums completed, segments cut.

class LoggedOffloads : public OffloadTest {
 protected:
  void expect_logged(uint64_t takes, const FrameKind& kind, uint32_t buffer) {
    receiver_.memory_.set_log(&bitmap_.log());
    receiver_.set_up(256, OffloadReceiver::kMergeable | takes);
    receiver_.next_buffer_ = OffloadReceiver::kBuffers;
    for (unsigned i = 0; i < 24; ++i) receiver_.post({receiver_.buffer(buffer)});
    sender_.set_up(256, OffloadSender::kModern | kSendsAll);
    sender_.offer({sender_.piece(sender_.with_header(make_offload_frame(kind)))});
    ASSERT_EQ(1u, sender_.take());
    bitmap_.take();
    const Snapshot before(receiver_.memory_, 0x10000, 0x90000);
    EXPECT_GE(deliver().delivered, 1u);
    expect_holds(bitmap_.take(), before.changed());
  }
  Bitmap<18> bitmap_;
};

TEST_F(LoggedOffloads, PassedOnCompletedAndCut) {
  const FrameKind tcp = {.name = "tcp", .payload = 3000};
  const FrameKind tso = {.name = "tso", .payload = 9000, .segment = 1400};
  const FrameKind tso6 = {.name = "tso6", .ipv6 = true, .payload = 9000, .segment = 500};
  for (const uint64_t takes : {uint64_t{0}, kTakesChecksum, kTakesAll}) {
    for (const FrameKind& kind : {tcp, tso, tso6}) {
      for (const uint32_t buffer : {700u, 1526u, 10000u}) {
        SCOPED_TRACE(std::string(kind.name) + " into " + std::to_string(buffer));
        expect_logged(takes, kind, buffer);
      }
    }
  }
}

}  // namespace
}  // namespace vhost::test
