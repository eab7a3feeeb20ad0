#include "frontend/frame.h"

#include "frontend/error.h"

namespace frontend {
namespace {

// Eight bytes of the pattern: by words, because tests verify millions of frames.
uint64_t pattern(uint64_t seed, std::size_t position) {
  const uint64_t mixed = (seed + position) * 0x9e37'79b9'7f4a'7c15;
  return mixed ^ mixed >> 29;
}

uint64_t seed_of(const FrameHead& head) {
  return head.sequence * 65'537 + head.source;
}

}  // namespace

std::vector<uint8_t> make_frame(const FrameHead& head, std::size_t size) {
  if (size < kHeadSize) throw Error("a test frame has at least 32 bytes");
  std::vector<uint8_t> frame(size);
  write_head(frame.data(), head);
  const uint64_t seed = seed_of(head);
  std::size_t i = kHeadSize;
  for (; i + sizeof(seed) <= size; i += sizeof(seed)) store_word(&frame[i], pattern(seed, i));
  const uint64_t rest = pattern(seed, i);
  std::memcpy(frame.data() + i, &rest, size - i);
  return frame;
}

bool intact(std::span<const uint8_t> frame) {
  if (frame.size() < kHeadSize) return false;
  FrameHead head;
  if (read_head(frame.data(), 0, head) == Verdict::not_ours) return false;
  const uint64_t seed = seed_of(head);
  std::size_t i = kHeadSize;
  for (; i + sizeof(seed) <= frame.size(); i += sizeof(seed)) {
    if (load_word(&frame[i]) != pattern(seed, i)) return false;
  }
  const uint64_t rest = pattern(seed, i);
  return std::memcmp(frame.data() + i, &rest, frame.size() - i) == 0;
}

}  // namespace frontend
