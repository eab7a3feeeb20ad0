// The text of the error that something ends with.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace control::testing {

template <typename Error, typename Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error where one is due";
  return "";
}

}  // namespace control::testing
