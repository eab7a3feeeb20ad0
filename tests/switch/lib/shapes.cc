#include "lib/shapes.h"

#include <algorithm>

#include "frontend/protocol.h"

namespace testbed {
namespace {

namespace feature = frontend::feature;
using frontend::ChainShape;
using frontend::MessageOrder;

constexpr unsigned kMostLinks = 16;
constexpr uint64_t kModern = feature::kVersion1 | feature::kProtocolFeatures;
constexpr uint64_t kUsual =
    kModern | feature::kMergeable | feature::kIndirect | feature::kEventIndex | feature::kAnyLayout;

std::vector<uint32_t> bytewise() {
  return std::vector<uint32_t>(kMostLinks - 1, 1);
}

}  // namespace

std::vector<NamedShape> chain_shapes(uint32_t header, bool indirect) {
  std::vector<NamedShape> shapes = {
      {"single", {}},
      {"header alone", ChainShape::header_alone(header)},
      {"header in two", ChainShape::split({4})},
      {"header and addresses", ChainShape::split({header + 14, 100})},
      {"one byte over the header", ChainShape::split({header + 1, 58})},
      {"where copied heads end", ChainShape::split({header + 60 - 1, 1, 1, 56})},
      {"byte by byte", ChainShape::split(bytewise())},
      {"empty links", ChainShape::split({0, header, 0, 30, 0})},
      {"around 4 KiB", ChainShape::split({4095, 2, 4095})}};
  if (!indirect) return shapes;
  const std::size_t direct = shapes.size();
  for (std::size_t i = 0; i < direct; ++i) {
    NamedShape other = shapes[i];
    other.name += ", indirect";
    other.shape.indirect = true;
    shapes.push_back(std::move(other));
  }
  return shapes;
}

ChainShape random_shape(std::mt19937_64& random, uint32_t total, bool indirect) {
  const uint64_t dice = random();
  ChainShape shape;
  shape.indirect = indirect && (dice & 1) != 0;
  // Half of all chains are short, as drivers make them.
  const auto cuts = static_cast<unsigned>((dice & 2) != 0 ? dice >> 8 & 1 : dice >> 8 & 15);
  const uint32_t longest = (dice & 4) != 0 ? 64 : std::max(total / 2, 1u);
  for (unsigned i = 0; i < std::min(cuts, kMostLinks - 1); ++i) {
    shape.cuts.push_back(static_cast<uint32_t>(random() % (longest + 1)));
  }
  return shape;
}

void Driver::apply(frontend::GuestOptions& options) const {
  options.features = features;
  options.required_features = features;
  options.receive_buffers = buffers;
  options.receive_indirect = indirect_buffers;
  options.order = order;
  options.reply_ack = reply_ack;
  options.packed = packed;
}

const std::vector<Driver>& drivers() {
  static const std::vector<Driver> all = {
      {"Usual", kUsual, {2048}},
      {"SmallMergeable", kUsual, {100}, false, MessageOrder::qemu},
      {"TinyMergeable", kUsual & ~feature::kEventIndex, {61}, false, MessageOrder::qemu, false},
      {"ChainedMergeable", kUsual, {12, 1, 700}},
      {"IndirectMergeable", kUsual, {20, 300}, true},
      {"InOrder", kUsual | feature::kInOrder, {1000}},
      {"WholeBuffers", kModern | feature::kEventIndex | feature::kIndirect, {9026}},
      {"ChainedWholeBuffers", kModern, {12, 3, 61, 9000}, false, MessageOrder::qemu},
      {"IndirectWholeBuffers", kModern | feature::kIndirect, {13, 64, 9000}, true},
      {"Legacy", feature::kProtocolFeatures | feature::kIndirect, {10, 9014}},
      {"LegacySplitHeader", feature::kProtocolFeatures | feature::kEventIndex, {4, 7, 100, 9000}},
      {"LegacyMergeable", kUsual & ~feature::kVersion1, {1526}}};
  return all;
}

const std::vector<Driver>& packed_drivers() {
  static const std::vector<Driver> all = [] {
    std::vector<Driver> packed;
    for (Driver driver : drivers()) {
      if ((driver.features & feature::kVersion1) == 0) continue;  // legacy drivers have none
      // As long as all the others together; ring_packed_receive_test has buffers as small.
      if (driver.name == "TinyMergeable") continue;
      driver.name += "Packed";
      driver.packed = true;
      packed.push_back(std::move(driver));
    }
    return packed;
  }();
  return all;
}

}  // namespace testbed
