// Each kind of failure has its own exit code.
#define BOOST_TEST_MODULE exit_code
#include "eflow/trainer/config/exit_code.hpp"

#include <boost/test/unit_test.hpp>
#include <new>

#include "eflow/core/comm/communicator.hpp"

using namespace eflow;
using namespace eflow::trainer;

BOOST_AUTO_TEST_CASE(kinds) {
  BOOST_TEST(exit_code_of(InvalidArgument("")) == 2);
  BOOST_TEST(exit_code_of(DataError("")) == 3);
  BOOST_TEST(exit_code_of(CorruptData("")) == 3);
  BOOST_TEST(exit_code_of(CheckpointError("")) == 4);
  BOOST_TEST(exit_code_of(DeviceError("")) == 5);
  BOOST_TEST(exit_code_of(std::bad_alloc()) == 5);
  BOOST_TEST(exit_code_of(NumericError("")) == 6);
  BOOST_TEST(exit_code_of(comm::PeerError("")) == 7);
  BOOST_TEST(exit_code_of(NoSpaceError("")) == 8);
  BOOST_TEST(exit_code_of(IoError("")) == 8);
  BOOST_TEST(exit_code_of(ShapeError("")) == 70);
  BOOST_TEST(exit_code_of(std::runtime_error("")) == 70);
}
