// A running switch with one guest on each of its ports p0, p1, ...
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/books.h"
#include "lib/crowd.h"
#include "lib/sanitized.h"
#include "lib/shapes.h"
#include "lib/switch_process.h"

namespace testbed {

struct Net {
  explicit Net(unsigned guests, const std::vector<std::string>& arguments = {})
      : process([&] {
          std::vector<std::string> all = port_arguments(guests);
          all.insert(all.end(), arguments.begin(), arguments.end());
          return all;
        }()) {
    for (unsigned i = 0; i < guests; ++i) add(port_name(i));
  }

  Station& add(const std::string& port, const Driver& driver = drivers().front()) {
    frontend::GuestOptions options;
    options.socket = process.socket(port);
    driver.apply(options);
    return crowd.add(port, options);
  }

  SwitchProcess process;
  Crowd crowd;
};

// Nothing is under way, every frame that ought to arrive did, and the books balance.
inline Books expect_whole(Net& net) {
  net.crowd.settle_whole();
  Books books = balanced_books(net.process, net.crowd);
  EXPECT_THAT(net.crowd.problems(), testing::IsEmpty());
  return books;
}

// The same, but frames may have been dropped: by a counter.
inline Books expect_balanced(Net& net) {
  net.crowd.settle();
  Books books = balanced_books(net.process, net.crowd);
  EXPECT_THAT(net.crowd.problems(), testing::IsEmpty());
  return books;
}

}  // namespace testbed
