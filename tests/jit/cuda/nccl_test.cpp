// NCCL: the library that is installed, if any, and what is said where it is not.
#define BOOST_TEST_MODULE nccl
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "eflow/jit/cuda/nccl_api.hpp"

#if __has_include(<nccl.h>) && __has_include(<cuda_runtime_api.h>)
#include <nccl.h>
#endif

using namespace eflow::jit;

#if defined(NCCL_VERSION_CODE)
static_assert(sizeof(NcclId) == sizeof(ncclUniqueId));
static_assert(nccl::kSuccess == ncclSuccess && nccl::kInProgress == ncclInProgress);
static_assert(nccl::kUint8 == ncclUint8);
static_assert(nccl::kLeastVersion == NCCL_VERSION(2, 14, 0));
static_assert(sizeof(NcclConfig) <= sizeof(ncclConfig_t));
static_assert(offsetof(NcclConfig, magic) == offsetof(ncclConfig_t, magic) &&
              offsetof(NcclConfig, version) == offsetof(ncclConfig_t, version) &&
              offsetof(NcclConfig, blocking) == offsetof(ncclConfig_t, blocking));
#endif

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_library_that_is_not_there_is_named) {
  std::string why;
  BOOST_TEST(!open_nccl("/no/such/libnccl.so", why));
  BOOST_TEST(contains(why, "/no/such/libnccl.so"), why);
  BOOST_TEST(contains(why, "EFLOW_NCCL"), why);
}

BOOST_AUTO_TEST_CASE(a_library_that_is_not_nccl_is_refused) {
  std::string why;
  BOOST_TEST(!open_nccl("libz.so.1", why));
  BOOST_TEST(contains(why, "libz.so.1"), why);
}

BOOST_AUTO_TEST_CASE(it_can_be_switched_off_and_injected) {
  std::string why;
  BOOST_TEST(!find_nccl(nullptr, "off", why));
  BOOST_TEST(contains(why, "EFLOW_NCCL=off"), why);
  NcclApi own;
  own.get_version = [](int* version) { return *version = 22809, 0; };
  const auto found = find_nccl(&own, "off", why);
  BOOST_REQUIRE(found.has_value());
  BOOST_TEST(found->version() == "2.28.9");
}

// The real library says its version and makes an id without a GPU.
BOOST_AUTO_TEST_CASE(the_installed_library_answers) {
  const char* const named = std::getenv("EFLOW_NCCL");
  std::string why;
  const auto api = open_nccl(named != nullptr ? named : "", why);
  if (!api) {
    BOOST_TEST_MESSAGE("skipped: " << why);
    std::cout << "the_installed_library_answers skipped: " << why << '\n';
    return;
  }
  int version = 0;
  BOOST_TEST(api->get_version(&version) == nccl::kSuccess);
  BOOST_TEST(version >= nccl::kLeastVersion);
  BOOST_TEST_MESSAGE("NCCL " << api->version());
  NcclId one, other;
  BOOST_REQUIRE(api->get_unique_id(&one) == nccl::kSuccess);
  BOOST_REQUIRE(api->get_unique_id(&other) == nccl::kSuccess);
  BOOST_TEST(std::memcmp(&one, &other, sizeof one) != 0);
  BOOST_TEST(!std::string(api->error_string(nccl::kInProgress)).empty());
}
