#pragma once
// What a command of the program must do: succeed, or refuse with certain words.

#include <boost/test/unit_test.hpp>
#include <string>

#include "eflow/tests/trainer/program/program.hpp"

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Runs words that must be refused with this exit code and a message that contains `part`.
inline void refused(const std::string& words, const std::string& part, int code = 2) {
  const auto outcome = eflow_says(words);
  BOOST_TEST(outcome.code == code, words << "\n" << outcome.text);
  BOOST_TEST(contains(outcome.text, part),
             words << "\nshould say: " << part << "\nsaid: " << outcome.text);
}

/// Runs words that must succeed; returns what they print.
inline std::string done(const std::string& words) {
  const auto outcome = eflow_says(words);
  BOOST_REQUIRE_MESSAGE(outcome.code == 0, words << "\n" << outcome.text);
  return outcome.text;
}
