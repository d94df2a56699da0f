// Instruction sets of the CPU: names, what is usable, and which one is used by default.
#define BOOST_TEST_MODULE isa
#include "eflow/jit/kernel/isa.hpp"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace eflow::jit;

namespace {

constexpr Isa kAll[] = {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx};

}  // namespace

BOOST_AUTO_TEST_CASE(names_round_trip) {
  for (const Isa isa : kAll) BOOST_TEST((isa_from_name(name_of(isa)) == isa));
  BOOST_TEST(!isa_from_name("AVX2").has_value());
  BOOST_TEST(!isa_from_name("").has_value());
}

BOOST_AUTO_TEST_CASE(usable_sets_extend_each_other) {
  const std::vector<Isa> usable = usable_isas();
  BOOST_TEST_REQUIRE(!usable.empty());
  BOOST_TEST(std::equal(usable.begin(), usable.end(), kAll));
}

BOOST_AUTO_TEST_CASE(the_default_is_usable) {
  const std::vector<Isa> usable = usable_isas();
  BOOST_TEST(std::count(usable.begin(), usable.end(), default_isa()) == 1);
}

BOOST_AUTO_TEST_CASE(the_default_is_the_widest_set_but_for_slow_dot_products) {
  for (const Isa widest : kAll) {
    for (const char* vendor :
         {"AuthenticAMD", "HygonGenuine", "GenuineIntel", "CentaurHauls", ""}) {
      const bool is_amd =
          std::string_view(vendor) == "AuthenticAMD" || std::string_view(vendor) == "HygonGenuine";
      const Isa expected = widest == Isa::kAvx512Bf16 && !is_amd ? Isa::kAvx512 : widest;
      BOOST_TEST_CONTEXT(name_of(widest) << " of " << vendor) {
        BOOST_TEST((default_isa(widest, vendor) == expected));
      }
    }
  }
}
