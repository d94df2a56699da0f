#pragma once
// The global C++ locale of an application that writes "1.024,5", until destruction.

#include <locale>
#include <string>

namespace eflow::test {

class NationalLocale {
 public:
  NationalLocale()
      : before_(std::locale::global(std::locale(std::locale::classic(), new Punctuation))) {}
  ~NationalLocale() { std::locale::global(before_); }
  NationalLocale(const NationalLocale&) = delete;
  NationalLocale& operator=(const NationalLocale&) = delete;

 private:
  struct Punctuation : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  std::locale before_;
};

}  // namespace eflow::test
